"""What goes wrong on the way, on order: armed for the next calls of an operation, honoured by both doors.

    sim.faults.arm("scaleSets.patch", Throttled(retry_after=timedelta(seconds=30)), times=2)
    sim.faults.arm("*", Reset(lost_answer=True), after=3)
    sim.faults.arm("scaleSets.manualUpgrade", OperationFails("VMExtensionProvisioningError", "..."))

Operations go by their names in `routes.py`. `OperationFails` is the second half of a long operation: the
call is answered as usual, and the operation ends Failed. To add a fault: a value here, and what it does in
`core.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from reconciler.simulator.message import Request


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
class OperationFails:
    """The long operation that the call starts ends Failed; its instances are left on what they ran."""

    code: str
    message: str


Fault = Throttled | Status | Timeout | Reset | Truncated | OperationFails


@dataclass(slots=True)
class _Armed:
    operation: str
    fault: Fault
    times: int | None
    after: int
    when: Callable[[Request], bool] | None


@dataclass(slots=True)
class Faults:
    """The first armed fault that fits a call is the one that strikes."""

    _armed: list[_Armed] = field(default_factory=list)

    def arm(
        self,
        operation: str,
        fault: Fault,
        *,
        times: int | None = 1,
        after: int = 0,
        when: Callable[[Request], bool] | None = None,
    ) -> None:
        """Strike the next `times` calls (None: all) of `operation` ("*": any).

        Only calls that satisfy `when` count, and the first `after` of them go through.
        """
        self._armed.append(_Armed(operation, fault, times, after, when))

    def disarm(self) -> None:
        """Nothing goes wrong any more."""
        self._armed.clear()

    def strike(self, operation: str, request: Request) -> Fault | None:
        """The fault for this call, if there is one; it is used up by being asked for."""
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
