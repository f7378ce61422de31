"""What goes wrong on the way, on order: armed for the next calls of an operation, honoured by both doors.

    sim.faults.arm("VirtualMachineScaleSets_Update", Throttled(retry_after=timedelta(seconds=30)), times=2)
    sim.faults.arm("VirtualMachineScaleSets_Update", Refused(errors.scope_locked(scope, lock)))
    sim.faults.arm("*", Reset(lost_answer=True), after=3)
    sim.faults.arm("VirtualMachineScaleSets_ListAll", Stale(age=timedelta(minutes=1)), times=None)
    sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", OperationFails(code, message))

Operations go by Azure's operationIds, as in `routes.py`. `OperationFails`, `OperationLost` and
`OperationKeepsImage` are about the second half of a long operation: the call is answered as usual, and the
operation ends Failed, is never heard of again, or changes no image. What struck an exchange is in the record.
To add a fault: a value here, and what it does in `core.py`; in `distortion.py` where it changes an answer.
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
    """429 from the compute provider. `group` is the policy it names."""

    retry_after: timedelta
    group: str = "HighCostGetVMScaleSetSubscriptionMaximum"


@dataclass(frozen=True, slots=True)
class Status:
    """An answer of this status instead of the real one; the request never reaches the core."""

    code: int
    error_code: str
    message: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """One of Azure's refusals in `errors`; the request never reaches the core."""

    error: ArmError


@dataclass(frozen=True, slots=True)
class Page:
    """An answer that is no JSON, as a front end gives it that is out of breath. `body` may be empty."""

    code: int = 503
    body: str = UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Stale:
    """A read answers with what was true so long ago, as a cache or a replica does that lags behind.

    Only what was read since the fault was armed is remembered: of a time before that, the oldest answer to
    the same question stands for what was true, and the first read is true.
    """

    age: timedelta


@dataclass(frozen=True, slots=True)
class Partial:
    """The first `lacks` rows are missing from a page of a list, in an answer that looks whole."""

    lacks: int = 1


@dataclass(frozen=True, slots=True)
class Timeout:
    """Silence. With `lost_answer` the request is carried out first."""

    lost_answer: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks. With `lost_answer` the request is carried out first."""

    lost_answer: bool = False


@dataclass(frozen=True, slots=True)
class Truncated:
    """The answer's body stops half way, in an answer that looks whole."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A field has a value of another type, in every row of a list or in the one resource that is answered.

    `field` is a path like `sku.capacity`; empty, the whole row is replaced. `name` limits it to the rows of
    that name.
    """

    field: str
    value: Any
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignLinks:
    """The next page and the operation are said to be on another host, which must never get our token."""

    host: str = "https://arm.elsewhere.test"


@dataclass(frozen=True, slots=True)
class Misdated:
    """The answer's "Date" is wrong by `by`, as a proxy's may be whose clock is."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer takes `delay`, during which the clock runs.

    It tells what was true when the request came in; with `is_late`, what is true when it is sent.
    """

    delay: timedelta
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class OperationFails:
    """The long operation that the call starts ends Failed; its instances are left on what they ran."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OperationLost:
    """The long operation that the call starts is forgotten: its address answers 404, no instance is touched.

    A model that the call wrote stays written.
    """


@dataclass(frozen=True, slots=True)
class OperationKeepsImage:
    """The long operation succeeds, and the instances it touches are on the image they had.

    `latest_model_applied` is what they say of themselves afterwards.
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
    """The first armed fault that fits a call is the one that strikes."""

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
        """Strike the next `times` calls (None: all) of `operation` ("*": any).

        Only calls before `until` that satisfy `when` count, and the first `after` of them go through.
        """
        self._armed.append(_Armed(operation, fault, times, after, when, until))

    def disarm(self) -> None:
        """Nothing goes wrong any more."""
        self._armed.clear()
        self._answers.clear()

    def take_fault(self, operation: str, request: Request, at: datetime) -> Fault | None:
        """The fault for this call, if there is one; it is used up by being asked for."""
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
        """Remember a true answer, if one that is out of date may be wanted later."""
        if request.method == "GET" and any(
            isinstance(armed.fault, Stale) and armed.operation in ("*", operation) for armed in self._armed
        ):
            self._answers.setdefault(_question(request), []).append((at, response))

    def recall(self, request: Request, when: datetime, fresh: Response) -> Response:
        """The last answer to this question that is as old as `when`, or the oldest there is.

        A write is no question: its answer is of this moment.
        """
        answers = self._answers.get(_question(request), []) if request.method == "GET" else []
        while len(answers) > 1 and answers[1][0] <= when:
            del answers[0]
        return answers[0][1] if answers else fresh


def _question(request: Request) -> Question:
    return request.path.lower(), tuple(sorted(request.query.items()))
