"""The simulated Azure in a process of its own, on a virtual clock: neither its CPU nor its memory counts.

Requests and responses pass through a pipe, without TLS and without HTTP. A real connection costs the client
some more CPU for each request.
"""

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from azure.core.rest import HttpRequest, HttpResponse

from reconciler.simulator import Request, Response, Simulator, VirtualClock
from reconciler.simulator.clock import MONDAY_MORNING
from reconciler.simulator.transport import InProcessResponse, InProcessTransport

_LEFT = "x-ms-ratelimit-remaining-resource"


class Now:
    """The virtual clock, on the side of the client. Azure's follows with each request."""

    def __init__(self) -> None:
        self._now = MONDAY_MORNING

    def now(self) -> datetime:
        return self._now

    def sleep(self, duration: timedelta) -> None:
        self._now += duration


class AzureApart(InProcessTransport):
    """A transport to the simulated Azure of another process, and an account of what it answered.

    `least` is the smallest number of requests that any answer said are left, by bucket. `by_minute` counts
    the requests of each minute, and `refused` those that Azure throttled.
    """

    def __init__(self, connection: Connection) -> None:
        self.clock = Now()
        self.least: dict[str, int] = {}
        self.by_minute: Counter[int] = Counter()
        self.refused = 0
        self._connection = connection

    @property
    def transport(self) -> InProcessTransport:
        return self

    def send(self, request: HttpRequest, **_: Any) -> HttpResponse:
        content = getattr(request, "content", None)
        body = content.encode() if isinstance(content, str) else content or b""
        sent = Request(request.method, request.url, dict(request.headers), body)
        self._connection.send((self.clock.now(), sent))
        response: Response = self._connection.recv()
        self._note(response)
        return InProcessResponse(request, response)

    def sleep(self, duration: float | timedelta) -> None:
        self.clock.sleep(duration if isinstance(duration, timedelta) else timedelta(seconds=duration))

    def forget(self) -> None:
        """Begin the account anew."""
        self.least, self.by_minute, self.refused = {}, Counter(), 0

    def images(self, names: Sequence[str]) -> set[str]:
        """The versions that instances of these scale sets run."""
        self._connection.send((self.clock.now(), names))
        found: set[str] = self._connection.recv()
        return found

    def _note(self, response: Response) -> None:
        self.by_minute[(self.clock.now() - MONDAY_MORNING) // timedelta(minutes=1)] += 1
        self.refused += response.status == 429
        for part in response.headers.get(_LEFT, "").split(","):
            name, _, left = part.rpartition("/")[2].partition(";")
            # The last counts up.
            if left and name != "VmssQueuedVMOperations":
                self.least[name] = min(int(left), self.least.get(name, int(left)))


@contextmanager
def serve_apart(fleet: Mapping[str, Any]) -> Iterator[AzureApart]:
    """A fleet in a process of its own, inside the context."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")  # a fork would share memory, and count it
    process = context.Process(target=_serve, args=(fleet, theirs), daemon=True)
    process.start()
    theirs.close()  # ours then ends when the process does
    try:
        yield AzureApart(ours)
    finally:
        process.kill()
        process.join()


def _serve(fleet: Mapping[str, Any], connection: Connection) -> None:
    clock = VirtualClock()
    azure = Simulator.load(fleet, clock)
    while True:
        at, asked = connection.recv()
        clock.advance(max(at - clock.now(), timedelta()))
        if isinstance(asked, Request):
            connection.send(azure.handle(asked))
            continue
        images = (image for name in asked for image in azure.record.images(name).values())
        connection.send({image.rsplit(":", 1)[-1] for image in images})
