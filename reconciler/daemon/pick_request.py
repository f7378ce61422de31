"""What a person asks for: which instances are to be upgraded next."""

from dataclasses import dataclass

UP_TO_DATE = "already up to date"
"""The obstacle to an upgrade that is no failure."""


@dataclass(frozen=True, slots=True)
class PickRequest:
    """What a person asks for: instances of the scale set `name` by id, or all at a place such as a domain.

    With both, `ids` are asked for, and `place` says how they were chosen. `is_trial`: only say what would
    happen.
    """

    name: str
    by: str
    place: str = ""
    ids: tuple[str, ...] = ()
    is_trial: bool = False
