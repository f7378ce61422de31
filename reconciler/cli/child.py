"""Runs a command inside a verb, as `env` and `timeout` do."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from reconciler.cli.exit_codes import BY_SIGNAL, NOT_EXECUTABLE, NOT_FOUND
from reconciler.cli.failure import fail

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command, with `environment` added. Returns its exit code, or 128 + N after signal N.

    Signals that would end this process are forwarded to the command instead, and this process waits for the
    command to end.
    """
    with _Forwarding() as forwarding:
        try:
            process = subprocess.Popen(command, env={**os.environ, **environment})
        except FileNotFoundError:
            fail(f"{shlex.quote(command[0])}: command not found", NOT_FOUND)
        except OSError as error:
            fail(f"{shlex.quote(command[0])}: {error.strerror}", NOT_EXECUTABLE)
        forwarding.begin(process)
        code = process.wait()
    return code if code >= 0 else BY_SIGNAL - code


class _Forwarding:
    """Forwards signals to a process, including those that arrive before it starts."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> "_Forwarding":
        for number in _FORWARDED:
            # An ignored signal stays ignored, for the command too: `nohup`, or a background job of a script.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._forward)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def begin(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        elif number != signal.SIGINT or not _is_in_foreground():
            self._process.send_signal(number)


def _is_in_foreground() -> bool:
    """Whether Ctrl-C has already reached the command.

    A terminal interrupts its whole foreground process group. If the signal were forwarded as well,
    `reconciler run` would take it for a second Ctrl-C, and abandon the reconciles in progress.
    """
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
