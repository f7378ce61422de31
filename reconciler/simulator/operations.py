"""Long-running operations, announced by a 202 or by a 200 with the state "Updating".

An operation waits for parts (the model, each instance) and ends when the last part is complete. Its status is
then Succeeded, or Failed with the first error. A part that never completes (an instance that never boots)
keeps the operation InProgress forever, as in Azure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from reconciler.simulator.clock import Clock
from reconciler.simulator.domains import guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import OperationKeepsImage

OperationStatus = Literal["InProgress", "Succeeded", "Failed", "Canceled"]
# Since 2024 Azure signs these addresses, which makes them about 3 kB long. Clients must use them unchanged.
SIGNED_SINCE = "2024-01-01"


@dataclass(slots=True, eq=False)
class Operation:
    """A running or ended operation. `ended` is None while the operation runs.

    With `forced_error`, the operation ends with that error, whatever happens to its parts. An operation that
    `is_lost` cannot be found and changes no instance. With `keeps_image`, instances keep their image.
    """

    id: str
    kind: str
    subscription: str
    location: str
    started: datetime
    clock: Clock
    status: OperationStatus = "InProgress"
    ended: datetime | None = None
    error: ArmError | None = None
    forced_error: ArmError | None = None
    is_lost: bool = False
    keeps_image: OperationKeepsImage | None = None
    when_ended: list[Callable[[Operation], None]] = field(default_factory=list)
    _waiting: set[str] = field(default_factory=set)

    @property
    def is_running(self) -> bool:
        return self.status == "InProgress"

    def expect(self, part: str) -> None:
        self._waiting.add(part)

    def waits_for(self, parts: Collection[str]) -> int:
        """Return how many of these parts are incomplete. For instances, Azure charges this number."""
        return len(self._waiting.intersection(parts))

    def complete(self, part: str, error: ArmError | None = None) -> None:
        """Complete `part`. The operation ends when its last part is complete."""
        self._waiting.discard(part)
        self.error = self.error or error
        if not self._waiting and self.is_running:
            self._end()

    def wait(self, part: str, delay: timedelta) -> None:
        """Add a part that completes after `delay`."""
        self.expect(part)
        self.clock.after(delay, lambda: self.complete(part))

    def fail(self, error: ArmError, status: OperationStatus = "Failed") -> None:
        """End the operation now, even if some parts are incomplete."""
        if self.is_running:
            self.error = error
            self._end(status)

    def body(self) -> dict[str, Any]:
        """Return the body of `GET .../operations/{id}`. A failed operation is reported with HTTP 200."""
        body: dict[str, Any] = {"startTime": self.started.isoformat()}
        if self.ended is not None:
            body["endTime"] = self.ended.isoformat()
        body["status"] = self.status
        if self.error is not None and self.status != "InProgress":
            body |= self.error.envelope()
        return body | {"name": self.id}

    def address(self, host: str, version: str, *, monitor: bool = False) -> str:
        """Return the URL for the `Azure-AsyncOperation` header or, with `monitor`, for `Location`."""
        base = f"/subscriptions/{self.subscription}/providers/Microsoft.Compute/locations/{self.location}"
        end = f"{'&monitor=true' if monitor else ''}&api-version={version}"
        signature = _signature(self.id, self.started) if version >= SIGNED_SINCE else ""
        return f"{host}{base}/operations/{self.id}?p={guid('p', self.id)}{end}{signature}"

    def _end(self, status: OperationStatus | None = None) -> None:
        self.error = self.forced_error or self.error
        self.status = status or ("Failed" if self.error else "Succeeded")
        self.ended = self.clock.now()
        for callback in self.when_ended:
            callback(self)


@dataclass(slots=True)
class Operations:
    """All operations, keyed by id. The ids come from a counter, so they are the same in each run.

    New operations inherit `forced_error` and `keeps_image`. While `loses_operations` is true, new operations
    are lost.
    """

    clock: Clock
    forced_error: ArmError | None = None
    loses_operations: bool = False
    keeps_image: OperationKeepsImage | None = None
    _all: dict[str, Operation] = field(default_factory=dict)

    def start(self, kind: str, subscription: str, location: str) -> Operation:
        operation_id = guid("operation", len(self._all))
        operation = Operation(operation_id, kind, subscription, location, self.clock.now(), self.clock)
        operation.forced_error = self.forced_error
        operation.is_lost = self.loses_operations
        operation.keeps_image = self.keeps_image
        self._all[operation_id] = operation
        return operation

    def find(self, operation_id: str) -> Operation | None:
        found = self._all.get(operation_id.lower())
        return None if found is None or found.is_lost else found


def _signature(operation_id: str, started: datetime) -> str:
    seal = hashlib.sha512(operation_id.encode()).hexdigest()
    ticks = 621355968000000000 + int(started.timestamp() * 10_000_000)
    return f"&t={ticks}&c={quote('MII' + seal * 6)}&s={seal * 2}&h={seal[:43]}"
