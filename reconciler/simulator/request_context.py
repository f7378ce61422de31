"""The context of a request: its caller, its operation, and the quotas that the request is charged to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.simulator.activity_log import LoggedWrite, log_claims
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.message import Request
from reconciler.simulator.permissions import action_of, scope_of
from reconciler.simulator.quota import Payer, Verbs
from reconciler.simulator.record import ScaleSetSnapshot
from reconciler.simulator.regions import region
from reconciler.simulator.routes import Route
from reconciler.simulator.tokens import CLIENT, claims, principal

VERBS: Mapping[str, Verbs] = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
PARTS = ("subscription", "group", "name", "instance", "operation")


@dataclass(frozen=True, slots=True)
class RequestContext:
    request: Request
    route: Route | None
    names: Mapping[str, str]
    at: datetime

    @property
    def operation(self) -> str:
        return self.route.name if self.route else "unknown"

    @property
    def is_open(self) -> bool:
        return self.route is not None and self.route.is_open

    @property
    def is_authenticated(self) -> bool:
        return self.request.header("Authorization").lower().startswith("bearer ")

    @property
    def caller(self) -> str:
        """The object id of the caller."""
        return str(claims(self.request.header("Authorization")).get("oid") or principal(CLIENT))

    @property
    def correlation_id(self) -> str:
        """The correlation id that the client sent, or "" if the client sent none.

        Terraform sends the same id with all requests of a run. A deployment sends the same id with the writes
        to all its resources.
        """
        found = self.request.header("x-ms-correlation-request-id")
        return found if GUID.fullmatch(found) else ""

    @property
    def subscription(self) -> str:
        return self.names.get("subscription", "").lower()

    @property
    def verbs(self) -> Verbs:
        return VERBS.get(self.request.method, "writes")

    def logged_write(self, operation_id: str) -> LoggedWrite | None:
        """Return the write for the activity log, or None for a read or an unknown route.

        `operation_id` is the id of this request.
        """
        action = action_of(self.operation, self.names)
        if self.verbs == "reads" or action is None:
            return None
        found = claims(self.request.header("Authorization"))
        return LoggedWrite(
            subscription=self.subscription,
            resource=scope_of(self.request.path),
            action=action,
            method=self.request.method,
            caller=str(found.get("upn") or self.caller),
            claims=log_claims(found),
            operation_id=operation_id,
            correlation_id=self.correlation_id or operation_id,
            client_request_id=self.request.header("x-ms-client-request-id"),
        )

    def snapshot(self, cloud: Cloud) -> ScaleSetSnapshot | None:
        """Return a snapshot of the scale set before a write, or None for a read or a missing scale set."""
        if VERBS.get(self.request.method) == "reads" or "group" not in self.names:
            return None
        group = cloud.groups.get(self.subscription, {}).get(self.names["group"].lower())
        scale_set = group and group.scale_sets.get(self.names.get("name", "").lower())
        return scale_set.snapshot if scale_set else None

    def payer(self, cloud: Cloud) -> Payer:
        parts = [self.names.get(part, "").lower() for part in PARTS]
        regions = _regions(cloud, self.names) if self.subscription else ()
        return Payer(self.subscription, regions, "/".join(parts))


def _regions(cloud: Cloud, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the regions that a request covers."""
    if "location" in names:
        return (region(names["location"]),)
    groups = cloud.groups.get(names["subscription"].lower(), {})
    if "group" not in names:
        scale_sets = [each for group in groups.values() for each in group.scale_sets.values()]
        return tuple(dict.fromkeys(region(each.location) for each in scale_sets))
    group = groups.get(names["group"].lower())
    if group is None:
        return ()
    found = group.scale_sets.get(names.get("name", "").lower())
    scale_sets = list(group.scale_sets.values()) if found is None else [found]
    return tuple(dict.fromkeys(region(each.location) for each in scale_sets)) or (region(group.location),)
