"""Limits on the work that one call may do: processor time of this process, and memory beyond what it already uses."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def limited(seconds: float = 10.0, megabytes: int = 700) -> Iterator[None]:
    """Fail if the block takes more. Time is processor time, so a busy machine changes nothing.

    What these limits are for takes hours or fills the machine. What is fine takes a tenth of them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, _stop)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (megabytes << 20), hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise AssertionError("this takes more time than any input may")


def _address_space() -> int:
    """The bytes of virtual memory of this process."""
    with open("/proc/self/statm") as statistics:
        return int(statistics.read().split()[0]) * resource.getpagesize()
