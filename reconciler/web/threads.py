"""Threads for the work of pages and actions.

Starlette runs the handlers of probes on a pool of its own, of 40 threads. Whatever waits there for long would
have a cluster restart the daemon.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """At most `most` threads at once. Further work waits, and holds up no other work."""

    def __init__(self, most: int) -> None:
        self._limiter = CapacityLimiter(most)

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of `work`."""
        return await run_sync(lambda: work(*args, **kwargs), limiter=self._limiter)
