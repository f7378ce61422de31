"""Faults to inject into the next calls to an operation, whichever client sends them.

    sim.faults.arm("VirtualMachineScaleSets_Update", Throttled(retry_after=timedelta(seconds=30)), times=2)
    sim.faults.arm("VirtualMachineScaleSets_Update", Rejected(errors.scope_locked(scope, lock)))
    sim.faults.arm("*", Reset(lost_answer=True), after=3)
    sim.faults.arm("VirtualMachineScaleSets_ListAll", Stale(age=timedelta(minutes=1)), times=None)
    sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationFails(code, message))

Operations are named by Azure's operationIds, as in `routes.py`. `OperationFails`, `OperationLost` and
`OperationKeepsImage` affect a long-running operation after it has been accepted. The call gets its usual
response. Then the operation fails, can no longer be found, or changes no image. The record shows which fault
was injected into each exchange.

To add a fault, add a class here. Add its effect to `core.py`, or to `distortion.py` if the fault alters a
response.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.simulator.errors import ArmError
from reconciler.simulator.message import Request, Response

UNAVAILABLE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r
<HTML><HEAD><TITLE>Service Unavailable</TITLE>\r
<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r
<BODY><h2>Service Unavailable</h2>\r
<hr><p>HTTP Error 503. The service is unavailable.</p>\r
</BODY></HTML>\r
"""


@dataclass(frozen=True, slots=True)
class Throttled:
    """A 429 from the compute provider. `group` is the name of the quota policy in the response."""

    retry_after: timedelta
    group: str = "HighCostGetVMScaleSetSubscriptionMaximum"


@dataclass(frozen=True, slots=True)
class Status:
    """An error with this status instead of the real response. The request is not carried out."""

    code: int
    error_code: str
    message: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An error from the module `errors`. The request is not carried out."""

    error: ArmError


@dataclass(frozen=True, slots=True)
class Page:
    """A response that is not JSON, like the error page of an overloaded front end. `body` can be empty."""

    code: int = 503
    body: str = UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Stale:
    """A GET returns the state as it was `age` ago, as from a cache or replica that lags behind.

    Only responses since the fault was armed are remembered. If no response is that old, the GET returns the
    oldest response to the same request. The first GET always returns the current state.
    """

    age: timedelta


@dataclass(frozen=True, slots=True)
class Partial:
    """A page of a list without its first `lacks` entries. The response looks complete."""

    lacks: int = 1


@dataclass(frozen=True, slots=True)
class Timeout:
    """A timeout: no response arrives. With `lost_answer`, the request is carried out first."""

    lost_answer: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """A broken connection. With `lost_answer`, the request is carried out first."""

    lost_answer: bool = False


@dataclass(frozen=True, slots=True)
class Truncated:
    """A response whose body ends halfway. Its headers look correct."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A response with a field of the wrong type, in each row of a list or in a single resource.

    `field` is a path like `sku.capacity`. An empty path replaces the whole row. `name` limits the fault to
    rows with that name.
    """

    field: str
    value: Any
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignLinks:
    """A response whose links to the next page and to the operation lead to another host.

    A client must never send its token to that host.
    """

    host: str = "https://arm.elsewhere.test"


@dataclass(frozen=True, slots=True)
class Misdated:
    """A response whose "Date" header is off by `by`, as if a proxy's clock were wrong."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Slow:
    """A response that arrives after `delay`, during which the clock runs.

    The response shows the state at the time of the request or, with `is_late`, the state after the delay.
    """

    delay: timedelta
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class OperationFails:
    """A failure of the long-running operation that the call starts. Instances keep their image."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OperationLost:
    """The loss of the long-running operation that the call starts.

    The operation's address returns 404, and no instance changes. If the call wrote a model, the model is
    kept.
    """


@dataclass(frozen=True, slots=True)
class OperationKeepsImage:
    """A long-running operation that succeeds, but leaves its instances on their image.

    `latest_model_applied` is the value that the instances report afterwards.
    """

    latest_model_applied: bool = True


Fault = (
    Throttled
    | Status
    | Rejected
    | Page
    | Stale
    | Partial
    | Timeout
    | Reset
    | Truncated
    | OperationFails
    | OperationLost
    | OperationKeepsImage
    | Malformed
    | ForeignLinks
    | Misdated
    | Slow
)
Question = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Armed:
    operation: str
    fault: Fault
    times: int | None
    after: int
    when: Callable[[Request], bool] | None
    until: datetime | None


@dataclass(slots=True)
class Faults:
    """The armed faults. If several match a call, the one that was armed first is injected."""

    _armed: list[_Armed] = field(default_factory=list)
    _answers: dict[Question, list[tuple[datetime, Response]]] = field(default_factory=dict)

    def arm(
        self,
        operation: str,
        fault: Fault,
        *,
        times: int | None = 1,
        after: int = 0,
        when: Callable[[Request], bool] | None = None,
        until: datetime | None = None,
    ) -> None:
        """Inject the fault into the next `times` calls to `operation`.

        `times` is None for all calls, and `operation` is "*" for any operation. Only calls before `until`
        that satisfy `when` count. The first `after` of these calls pass unchanged.
        """
        self._armed.append(_Armed(operation, fault, times, after, when, until))

    def disarm(self) -> None:
        """Disarm all faults."""
        self._armed.clear()
        self._answers.clear()

    def take_fault(self, operation: str, request: Request, at: datetime) -> Fault | None:
        """Return the fault to inject into this call, if any, and count the injection."""
        self._armed = [each for each in self._armed if each.until is None or at < each.until]
        for armed in self._armed:
            if armed.operation not in ("*", operation) or (
                armed.when is not None and not armed.when(request)
            ):
                continue
            if armed.after > 0:
                armed.after -= 1
                continue
            if armed.times is not None:
                armed.times -= 1
                if armed.times == 0:
                    self._armed.remove(armed)
            return armed.fault
        return None

    def note(self, operation: str, request: Request, at: datetime, response: Response) -> None:
        """Remember a correct response if a `Stale` fault might return it later."""
        if request.method == "GET" and any(
            isinstance(armed.fault, Stale) and armed.operation in ("*", operation) for armed in self._armed
        ):
            self._answers.setdefault(_question(request), []).append((at, response))

    def recall(self, request: Request, when: datetime, fresh: Response) -> Response:
        """Return the last response to this request at or before `when`, or else the oldest response.

        A request without remembered responses gets the `fresh` response, and so does every write.
        """
        answers = self._answers.get(_question(request), []) if request.method == "GET" else []
        while len(answers) > 1 and answers[1][0] <= when:
            del answers[0]
        return answers[0][1] if answers else fresh


def _question(request: Request) -> Question:
    return request.path.lower(), tuple(sorted(request.query.items()))
