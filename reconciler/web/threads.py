"""Threads for the work of pages and actions.

Starlette runs the handlers of probes in its own pool of 40 threads. If long work filled that pool, probes
would fail, and the cluster would restart the daemon.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """Runs work in at most `most` threads at once. Further work waits, but holds up nothing else."""

    def __init__(self, most: int) -> None:
        self._limiter = CapacityLimiter(most)

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await run_sync(lambda: work(*args, **kwargs), limiter=self._limiter)
