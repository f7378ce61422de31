"""A person's request to upgrade certain instances next."""

from dataclasses import dataclass

UP_TO_DATE = "already up to date"
"""The obstacle to an upgrade that is no failure."""


@dataclass(frozen=True, slots=True)
class PickRequest:
    """A request for instances of the scale set `name`, by id or by a place such as a domain.

    If `ids` and `place` are both given, `ids` are requested, and `place` says how they were chosen. If
    `is_trial` is true, the request only asks what would happen.
    """

    name: str
    by: str
    place: str = ""
    ids: tuple[str, ...] = ()
    is_trial: bool = False
