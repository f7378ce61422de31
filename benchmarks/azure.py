"""The simulated Azure of one process, and the account of requests to it.

The simulator runs in the process that it serves, so its own share of the CPU is measured at the transport and
reported separately.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import thread_time
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest, HttpResponse

from benchmarks.figures import Figures
from reconciler.simulator import SUBSCRIPTION, Simulator, VirtualClock
from reconciler.simulator.transport import InProcessTransport

GROUP = "shop"
OLD, NEW = "24.04.202601010", "24.04.202601140"


def image(version: str) -> dict[str, str]:
    """Return a platform image, as specs and the SDK write it."""
    return {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": version}


def name(number: int) -> str:
    """Return the name of a scale set, as the simulator numbers them."""
    return f"web-{number:04}"


def imports() -> Figures:
    """Return the cost of the process before it creates a simulated Azure."""
    return Figures(0, 0, 0, _cpu(), timedelta(), timedelta(), _peak())


class Azure:
    """`sets` scale sets of `instances` each in five update domains, all on OLD and healthy."""

    def __init__(self, sets: int, instances: int, upgrade: timedelta) -> None:
        scale_set = {
            "name": "web",
            "count": sets,
            "capacity": instances,
            "resourceGroup": GROUP,
            "health": "extension",
            "image": {"platform": image(OLD)},
        }
        publisher = {key: value for key, value in image(OLD).items() if key != "version"}
        fleet = {
            "images": {"platform": [{**publisher, "versions": [OLD, NEW]}]},
            "timings": {"upgrade": f"{upgrade.total_seconds():g}s", "boot": "20s", "health": "15s"},
            "scaleSets": [scale_set],
        }
        self.clock = VirtualClock()
        self._began = self.clock.now()
        self._simulator = Simulator.load(fleet, self.clock)
        self._transport = _Metered(self._simulator)

    @property
    def transport(self) -> InProcessTransport:
        return self._transport

    def sleep(self, duration: timedelta) -> None:
        """Advance Azure's clock."""
        self._transport.sleep(duration.total_seconds())

    def account(self) -> Figures:
        """Return the cost of the process so far."""
        exchanges = self._simulator.record.requests
        return Figures(
            requests=len(exchanges),
            writes=sum(each.method != "GET" for each in exchanges),
            bytes=sum(each.request_bytes + each.response_bytes for each in exchanges),
            cpu=_cpu() - self._transport.cpu,
            simulator=self._transport.cpu,
            azure=self.clock.now() - self._began,
            peak=_peak(),
        )

    def images(self) -> set[str]:
        """Return the versions that instances currently run, by the simulator's own record."""
        sets = self._simulator.cloud.scale_sets(SUBSCRIPTION)
        images = {image for each in sets for image in self._simulator.record.images(each.name).values()}
        return {image.rsplit(":", 1)[-1] for image in images}


class Token:
    """A token for the SDK. The in-process transport requires no identity."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("benchmark", 4_102_444_800)


def _cpu() -> timedelta:
    """Return the CPU time of this process and of the processes it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return timedelta(seconds=sum(each.ru_utime + each.ru_stime for each in both))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


class _Metered(InProcessTransport):
    """A transport that measures the CPU time of the simulator on all threads."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.cpu = timedelta()

    def send(self, request: HttpRequest, **options: Any) -> HttpResponse:
        with self._running():
            return super().send(request, **options)

    def sleep(self, duration: float) -> None:
        with self._running():
            super().sleep(duration)

    @contextmanager
    def _running(self) -> Iterator[None]:
        began = thread_time()
        try:
            yield
        finally:
            self.cpu += timedelta(seconds=thread_time() - began)
