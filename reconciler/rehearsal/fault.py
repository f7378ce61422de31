"""The faults of a rehearsal, as the command line names them. Pure, and independent of the simulator."""

import re
from dataclasses import dataclass
from enum import StrEnum

from reconciler.spec.amount import Count, Percent
from reconciler.spec.wording import shorten

_PERCENT = re.compile(r"([0-9]{1,9})%")
_ONE = Count(1)
_NUMBER = re.compile(r"[0-9]{1,4}")


class FaultKind(StrEnum):
    """What goes wrong in a rehearsal."""

    UNHEALTHY = "unhealthy"  # a share of the upgraded instances never becomes healthy
    THROTTLE = "throttle"  # Azure refuses requests with 429
    STUCK = "stuck"  # the upgrades of some batches never complete
    EVICT = "evict"  # Spot instances are evicted in the middle of a rollout


EXAMPLES = ("unhealthy:2%", "throttle", "stuck:1", "evict:1")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and its extent.

    `amount` is the share of the instances, or the number of batches or instances, that the fault affects.
    """

    kind: FaultKind
    amount: Percent | Count = _ONE

    def __str__(self) -> str:
        return str(self.kind) if self.kind is FaultKind.THROTTLE else f"{self.kind}:{self.amount}"


class NotAFault(ValueError):
    """The text of an option does not name a fault. The message says why."""


def parse_fault(text: str) -> Fault:
    """The fault that `text` names. Raises NotAFault if `text` names no fault.

    >>> print(parse_fault("unhealthy:2%"), parse_fault("throttle"))
    unhealthy:2% throttle
    """
    name, separator, amount = text.partition(":")
    if name not in set(FaultKind):
        raise NotAFault(f"{shorten(text)!r} is not a fault; choose one of {', '.join(EXAMPLES)}")
    kind = FaultKind(name)
    if kind is FaultKind.THROTTLE:
        if separator:
            raise NotAFault(f"{shorten(text)!r} has an amount, which throttle does not take; write throttle")
        return Fault(kind)
    if kind is FaultKind.UNHEALTHY:
        return Fault(kind, _share(amount, text))
    if not _NUMBER.fullmatch(amount) or not int(amount):
        raise NotAFault(f"{shorten(text)!r} has no number of at least 1; write it like {kind}:1")
    return Fault(kind, Count(int(amount)))


def _share(amount: str, text: str) -> Percent:
    match = _PERCENT.fullmatch(amount)
    if not match or not int(match[1]):
        raise NotAFault(f"{shorten(text)!r} has no percentage of at least 1%; write it like unhealthy:2%")
    if int(match[1]) > 100:
        raise NotAFault(f"{shorten(text)!r} is more than all instances; write at most unhealthy:100%")
    return Percent(int(match[1]))
