"""A program in a terminal window of some size, and the pictures that it paints there."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HOME, _PATIENCE = "\x1b[H", 60.0


class Window:
    """A command in a window. `picture` waits for the next whole picture of the alternate screen."""

    def __init__(self, line: Sequence[str], env: Mapping[str, str], size: tuple[int, int]) -> None:
        self._ours, its = pty.openpty()
        self.resize(size)
        self._process = subprocess.Popen(
            line, env={**env, "TERM": "xterm"}, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        self._written = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the window this many columns and lines."""
        columns, lines = size
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def picture(self, sign: Callable[[list[str]], bool] = lambda _: True) -> list[str]:
        """The lines of the next picture for which `sign` is true."""
        end = time.monotonic() + _PATIENCE
        while True:
            *whole, self._written = self._written.split(_HOME)
            for text in whole[1:] if "\x1b[?1049h" in whole[:1] else whole:
                lines = _CONTROL.sub("", text).replace("\r", "").split("\n")
                if lines != [""] and sign(lines):
                    return lines
            assert time.monotonic() < end, f"no such picture after {_PATIENCE:g} s: {self._written!r}"
            self._read(end - time.monotonic())

    def interrupt(self) -> tuple[int, str]:
        """End it as Ctrl-C does. Returns its exit code and what it still wrote."""
        self._written = ""
        os.killpg(self._process.pid, 2)
        end = time.monotonic() + _PATIENCE
        try:
            while time.monotonic() < end:
                self._read(1)
        except OSError:  # the other end is closed
            pass
        return self._process.wait(_PATIENCE), self._written

    def output(self) -> tuple[int, str]:
        """Wait for its end. Returns its exit code and everything that it wrote."""
        try:
            while True:
                self._read(_PATIENCE)
        except OSError:
            return self._process.wait(_PATIENCE), _CONTROL.sub("", self._written).replace("\r", "")

    def _read(self, seconds: float) -> None:
        if select.select([self._ours], [], [], max(0.0, seconds))[0]:
            self._written += self._decoder.decode(os.read(self._ours, 1 << 16))
