"""Label selectors, as in kubectl."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OF_OTHER_FORMS = re.compile(r"[\s()!]")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One part of a selector. `value` is None if the label only has to exist."""

    label: str
    value: str | None
    is_equal: bool = True

    @classmethod
    def of(cls, text: str) -> "Requirement":
        """Parse "team=web", "team==web", "team!=web" or "team". `is_valid` is false if no label is named."""
        label, sign, wanted = text.partition("=")
        is_equal = not (sign and label.endswith("!"))
        label = label if is_equal else label.removesuffix("!")
        return cls(label.strip(), wanted.removeprefix("=").strip() if sign else None, is_equal)

    @property
    def is_valid(self) -> bool:
        """Whether the requirement names a label. Other forms of kubectl, such as "team in (a)", do not."""
        return bool(self.label) and not _OF_OTHER_FORMS.search(self.label)

    def __str__(self) -> str:
        """The text that it is read from."""
        sign = "=" if self.is_equal else "!="
        return self.label if self.value is None else f"{self.label}{sign}{self.value}"

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy the requirement.

        As in kubectl, a scale set without the label satisfies `team!=web`.
        """
        if self.value is None:
            return self.label in labels
        return (labels.get(self.label) == self.value) is self.is_equal
