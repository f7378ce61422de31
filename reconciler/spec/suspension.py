"""Why something is left alone, by whom and until when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Suspension:
    """`reason` and `by` are "" and `until` None where the spec does not say.

    Past `until` it stays in force, and is reported as forgotten.
    """

    reason: str = ""
    by: str = ""
    until: datetime | None = None
