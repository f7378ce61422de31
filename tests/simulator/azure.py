"""A simulated Azure with the real SDK, for the tests of the simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.compute import ComputeManagementClient

from reconciler.simulator import SUBSCRIPTION, Request, Response, Simulator, VirtualClock

OLD, NEW, BAD = (f"Canonical:ubuntu-24_04-lts:server:24.04.20260{n}010" for n in (1, 2, 3))
VERSION = "2026-04-01"


class Credential:
    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("token", 4_000_000_000)


@dataclass(frozen=True)
class Azure:
    """A simulator, its clock, and an SDK client. `ask` sends requests without the SDK."""

    sim: Simulator
    clock: VirtualClock
    client: ComputeManagementClient

    def wait(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        version: str = VERSION,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request. `path` is below the scale set `web`, or absolute."""
        full = path if path.startswith("/") else f"{SET}{path and '/'}{path}"
        joint = "&" if "?" in full else "?"
        url = f"https://arm.test{full}{joint}api-version={version}"
        return self.sim.handle(Request(method, url, {"Authorization": "Bearer t", **(headers or {})}, body))

    def patch(self, change: Any, **options: Any) -> Any:
        """PATCH the scale set, and wait for the operation."""
        return self.client.virtual_machine_scale_sets.begin_update("shop", "web", change, **options).result()

    def patch_image(self, image: str) -> Any:
        """PATCH the model to a platform image, and wait for the operation."""
        reference = dict(zip(("publisher", "offer", "sku", "version"), image.split(":"), strict=True))
        profile = {"storageProfile": {"imageReference": reference}}
        return self.patch({"properties": {"virtualMachineProfile": profile}})

    def upgrade(self, *ids: str, polling: bool = True) -> Any:
        """POST manualupgrade, and return its poller."""
        body: Any = {"instanceIds": list(ids)}
        sets = self.client.virtual_machine_scale_sets
        return sets.begin_update_instances("shop", "web", body, polling=polling)


GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web"
Start = Callable[..., "Azure"]


def fleet(*others: Mapping[str, Any], **web: Any) -> dict[str, Any]:
    platform = {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "server",
        "versions": [image.rpartition(":")[2] for image in (OLD, NEW, BAD)],
    }
    first: dict[str, Any] = {"name": "web", "resourceGroup": "shop", "image": OLD, "health": "extension"}
    if "instances" not in web:
        first["capacity"] = 20
    return {
        "images": {"platform": [platform], "bad": [{"image": BAD, "boots": "unhealthy"}]},
        "scaleSets": [{**first, **web}, *others],
    }
