"""Label selectors, as in kubectl."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.spec.shape import fields


@dataclass(frozen=True, slots=True)
class Requirement:
    """One part of a selector. `value` is None if the label only has to exist."""

    label: str
    value: str | None
    is_equal: bool = True

    @classmethod
    def of(cls, text: str) -> "Requirement":
        """Parse "team=web", "team==web", "team!=web" or "team". The result may be invalid: see `is_valid`."""
        label, sign, wanted = text.partition("=")
        is_equal = not (sign and label.endswith("!"))
        label = label if is_equal else label.removesuffix("!")
        wanted = wanted.removeprefix("=") if is_equal else wanted
        return cls(label.strip(), wanted.strip() if sign else None, is_equal)

    @property
    def is_valid(self) -> bool:
        """Whether a scale set could have this label, with this value.

        Other kubectl forms, such as "team in (a)", are not valid. Neither is "team!=(a)", which would select
        every scale set.
        """
        rules = fields("ScaleSet")["metadata", "labels"]
        return _is_met(rules["propertyNames"], self.label) and (
            self.value is None or _is_met(rules["additionalProperties"], self.value)
        )

    def __str__(self) -> str:
        """The requirement as text that `of` can parse."""
        sign = "=" if self.is_equal else "!="
        return self.label if self.value is None else f"{self.label}{sign}{self.value}"

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy the requirement.

        As in kubectl, a scale set without the label satisfies `team!=web`.
        """
        if self.value is None:
            return self.label in labels
        return (labels.get(self.label) == self.value) is self.is_equal


def requirement_error(text: str) -> str:
    """The error message for the text of an invalid requirement."""
    return f"{text!r} is not a requirement; write it like team=web, team!=web or team"


def _is_met(rule: dict[str, Any], text: str) -> bool:
    """Whether a text meets the rule of the schema for labels or for their values."""
    return len(text) <= rule["maxLength"] and re.fullmatch(rule["pattern"], text) is not None
