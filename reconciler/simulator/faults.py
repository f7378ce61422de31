"""Faults that are injected into the next calls of an operation, whichever client sends them.

    sim.faults.arm("VirtualMachineScaleSets_Update", Throttled(retry_after=timedelta(seconds=30)), times=2)
    sim.faults.arm("VirtualMachineScaleSets_Update", Rejected(errors.scope_locked(scope, lock)))
    sim.faults.arm("*", Reset(lost_answer=True), after=3)
    sim.faults.arm("VirtualMachineScaleSets_ListAll", Stale(age=timedelta(minutes=1)), times=None)
    sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationFails(code, message))

Operations are named by Azure's operationIds, as in `routes.py`. `OperationFails`, `OperationLost` and
`OperationKeepsImage` affect a long-running operation after it was accepted. The call gets its usual response,
and then the operation ends Failed, can no longer be found, or changes no image. The record shows which fault
was injected into each exchange.

To add a fault, add a class here, and its effect to `core.py`, or to `distortion.py` if it alters a response.
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
    """A 429 from the compute provider. `group` is the policy that the response names."""

    retry_after: timedelta
    group: str = "HighCostGetVMScaleSetSubscriptionMaximum"


@dataclass(frozen=True, slots=True)
class Status:
    """An error of this status instead of the real response. The request does not reach the core."""

    code: int
    error_code: str
    message: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """One of Azure's errors in `errors`. The request does not reach the core."""

    error: ArmError


@dataclass(frozen=True, slots=True)
class Page:
    """A response that is not JSON, as an overloaded front end sends it. `body` can be empty."""

    code: int = 503
    body: str = UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Stale:
    """A read returns what was true `age` ago, like a cache or a replica that lags behind.

    Only responses since the fault was armed are remembered. If all of them are newer than `age`, the oldest
    response to the same request is returned. The first read is always current.
    """

    age: timedelta


@dataclass(frozen=True, slots=True)
class Partial:
    """The first `lacks` rows are missing from a page of a list. The response looks complete."""

    lacks: int = 1


@dataclass(frozen=True, slots=True)
class Timeout:
    """No response arrives. With `lost_answer` the request is carried out first."""

    lost_answer: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks. With `lost_answer` the request is carried out first."""

    lost_answer: bool = False


@dataclass(frozen=True, slots=True)
class Truncated:
    """The body of the response ends halfway. The headers look correct."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A field has a value of another type, in each row of a list or in a single resource.

    `field` is a path like `sku.capacity`. If it is empty, the whole row is replaced. `name` limits the fault
    to the rows of that name.
    """

    field: str
    value: Any
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignLinks:
    """The links to the next page and to the operation lead to another host.

    A client must never send its token there.
    """

    host: str = "https://arm.elsewhere.test"


@dataclass(frozen=True, slots=True)
class Misdated:
    """The "Date" header is wrong by `by`, like that of a proxy whose clock is wrong."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Slow:
    """The response takes `delay`, during which the clock runs.

    The response shows the state when the request arrived, or with `is_late` the state when the response is
    sent.
    """

    delay: timedelta
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class OperationFails:
    """The long-running operation that the call starts ends Failed. Its instances keep their image."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OperationLost:
    """The long-running operation that the call starts is lost.

    Its address returns 404, and no instance changes. A model that the call wrote is kept.
    """


@dataclass(frozen=True, slots=True)
class OperationKeepsImage:
    """The long-running operation succeeds, but its instances keep their image.

    `latest_model_applied` is what the instances report afterwards.
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
        """Inject the fault into the next `times` calls (None: all) of `operation` ("*": any).

        Only calls before `until` that satisfy `when` count, and the first `after` of them pass unchanged.
        """
        self._armed.append(_Armed(operation, fault, times, after, when, until))

    def disarm(self) -> None:
        """Remove all faults."""
        self._armed.clear()
        self._answers.clear()

    def take_fault(self, operation: str, request: Request, at: datetime) -> Fault | None:
        """Return the fault to inject into this call, if any, and use up one injection of it."""
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
        """Return the latest response to this request from `when` or earlier, or else the oldest response.

        A write always gets the `fresh` response.
        """
        answers = self._answers.get(_question(request), []) if request.method == "GET" else []
        while len(answers) > 1 and answers[1][0] <= when:
            del answers[0]
        return answers[0][1] if answers else fresh


def _question(request: Request) -> Question:
    return request.path.lower(), tuple(sorted(request.query.items()))
