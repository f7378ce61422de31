"""Amounts: counts, or percentages of a total, written as in Azure and Kubernetes."""

import math
import re
from dataclasses import dataclass

from reconciler.spec.scalar import Atom, Misread
from reconciler.spec.wording import quote


@dataclass(frozen=True, slots=True)
class Count:
    """An absolute number of instances, or of scale sets if the total is the fleet."""

    instances: int

    def of(self, total: int) -> int:  # noqa: ARG002 - the signature of Percent.of
        """The amount out of `total`: always the count itself.

        >>> [Count(2).of(total) for total in (1, 2, 3, 10, 100)]
        [2, 2, 2, 2, 2]
        """
        return self.instances

    def within(self, total: int) -> int:  # noqa: ARG002 - the signature of Percent.within
        """The number out of `total` that is tolerated: always the count itself.

        >>> Count(0).within(100), Count(2).within(100)
        (0, 2)
        """
        return self.instances

    def describe(self, total: int) -> str:  # noqa: ARG002 - the signature of Percent.describe
        """The amount in words, for messages.

        >>> Count(5).describe(3)
        '5'
        """
        return str(self.instances)

    def __str__(self) -> str:
        return str(self.instances)


@dataclass(frozen=True, slots=True)
class Percent:
    """A percentage of the total, from 0 to 100."""

    percent: int

    def of(self, total: int) -> int:
        """The amount out of `total`, rounded up and at least one.

        Instances are spread over five update domains. In an evenly filled scale set, no domain has more than
        a fifth of the instances, rounded up. The default of 20% is therefore always enough for a whole
        domain.

        >>> [Percent(20).of(total) for total in (1, 2, 3, 10, 18, 100)]
        [1, 1, 1, 2, 4, 20]
        >>> [Percent(50).of(total) for total in (1, 2, 3, 10, 100)]
        [1, 1, 2, 5, 50]
        """
        return max(1, math.ceil(total * self.percent / 100))

    def within(self, total: int) -> int:
        """The number out of `total` that is tolerated, rounded down.

        Any limit below 100% rounds down to zero for a canary of one instance, so an unhealthy canary exceeds
        it.

        >>> [Percent(20).within(total) for total in (1, 2, 3, 10, 18, 100)]
        [0, 0, 0, 2, 3, 20]
        >>> [Percent(50).within(total) for total in (1, 2, 3, 10, 100)]
        [0, 1, 1, 5, 50]
        >>> Percent(0).within(100), Percent(100).within(1)
        (0, 1)
        """
        return total * self.percent // 100

    def describe(self, total: int) -> str:
        """The percentage and the number that it amounts to, for messages.

        >>> Percent(20).describe(3), Percent(20).describe(10)
        ('20% (1 of 3)', '20% (2 of 10)')
        """
        return f"{self} ({self.of(total)} of {total})"

    def __str__(self) -> str:
        return f"{self.percent}%"


Amount = Count | Percent

_PERCENT = re.compile(r"([0-9]{1,6})\s*%")


def amount(value: int | str) -> Amount:
    """The amount that a value in a spec declares. The value must have passed `amount_error`.

    >>> amount(5), amount("20%")
    (Count(instances=5), Percent(percent=20))
    """
    return Count(value) if isinstance(value, int) else Percent(int(value.removesuffix("%")))


def amount_error(
    value: Atom,
    *,
    least: int = 1,
    zero_effect: str = "would never upgrade anything",
    whole: str = "the whole scale set",
) -> str | None:
    """The error if the value is not a valid amount of at least `least` (0 or 1), otherwise None.

    `zero_effect` says what an amount of 0 would do. `whole` names the total that a percentage refers to.
    """
    match value:
        case bool() | None:
            return None  # the schema reports the wrong type
        case Misread():
            return f"is read as {value.meaning}: write a plain number such as 5, or a percentage such as 20%"
        case float():
            return f"is {value}: write a whole number such as 5, or a percentage such as 20%"
        case int():
            return None if value >= least else _too_few(value, least, zero_effect)
    if match_ := _PERCENT.fullmatch(value):
        percent = int(match_[1])
        return (
            _too_few(value, least, zero_effect) if percent < least else _percent_error(percent, value, whole)
        )
    if value.isdecimal() and value.isascii() and len(value) < 7:
        number = int(value)
        if number < least:
            return _too_few(number, least, zero_effect)
        return f"{quote(value)} is a string: write {number} without quotes for a count, or {number}%"
    fix = "write a count such as 5, or a percentage such as 20%"
    return f"{quote(value)} is neither a count nor a percentage: {fix}"


def _percent_error(percent: int, text: str, whole: str) -> str | None:
    if percent > 100:
        return f"{quote(text)} is more than {whole}: write 100% or less"
    return None if text == f"{percent}%" else f"{quote(text)} is not in canonical form: write {percent}%"


def _too_few(value: int | str, least: int, zero_effect: str) -> str:
    what = f"is {value}, which {zero_effect}" if least else f"is {value}, but must not be negative"
    return f"{what}: write {least} or more, or a percentage such as 20%"
