"""Makes SIGHUP reload everything instead of ending the process, as in other daemons.

The signal handler may run between any two steps of the main thread, even while that thread holds locks.
Therefore the handler only leaves a note, and another thread acts on it.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from types import FrameType


class Hangups:
    """A context in which SIGHUP does not end the process. Early signals are kept for `answer`.

    If the process was started in a terminal that has been closed, SIGHUP still ends the process, because
    nobody expects a daemon to outlive its window.
    """

    def __init__(self) -> None:
        self._notes: SimpleQueue[bool] = SimpleQueue()  # False ends the thread
        self._began_in_terminal = sys.stderr.isatty()
        self._before: Callable[[int, FrameType | None], object] | int | None = signal.SIG_DFL

    def __enter__(self) -> "Hangups":
        self._before = signal.signal(signal.SIGHUP, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._before)

    @contextmanager
    def answer(self, act: Callable[[], None]) -> Iterator[None]:
        """While the context is open, call `act` for each signal, or once for signals that arrive together."""
        thread = Thread(target=self._run, args=(act,), name="hangup", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._notes.put(False)
            thread.join()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._began_in_terminal and not sys.stderr.isatty():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._notes.put(True)

    def _run(self, act: Callable[[], None]) -> None:
        while self._notes.get():
            while not self._notes.empty():
                if not self._notes.get():
                    return
            act()
