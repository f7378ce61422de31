"""Which scale sets `status` shows, and in which order.

Rows have the shape of `reconciler.daemon.report.state`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.cli.selector import fits_labels
from reconciler.daemon.status_word import FROZEN, ORPHANED, PAUSED, UNCHECKED
from reconciler.daemon.status_word import ORDER as EVERY
from reconciler.spec.label import Requirement

Json = Mapping[str, Any]

# The status of a row does not tell the kinds of Suspended apart.
ORDER = tuple(each for each in EVERY if each not in {PAUSED, FROZEN})
_RANKS = {word: rank for rank, word in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Selects the scale sets that match every field that is set.

    `statuses` are words from ORDER. `image` is the short or the full name of the declared image or of the
    image of the model.
    """

    names: tuple[str, ...] = ()
    selector: tuple[Requirement, ...] | None = None
    statuses: tuple[str, ...] = ()
    image: str = ""
    subscriptions: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == RowFilter()

    def without_image(self) -> "RowFilter":
        return replace(self, image="")

    def fits(self, row: Json) -> bool:
        """Whether the filter shows this scale set or orphan."""
        return all(
            (
                not self.names or row["name"] in self.names,
                fits_labels(self.selector, row.get("labels") or {}),
                not self.statuses or status_of(row) in self.statuses,
                not self.image or self.image.casefold() in map(str.casefold, _images(row)),
                not self.subscriptions or subscription_of(row) in map(str.casefold, self.subscriptions),
            )
        )


def status_of(row: Json) -> str:
    """The status of a row, which is ORPHANED for an orphan and UNCHECKED before the first check."""
    return row["status"] or UNCHECKED if "status" in row else ORPHANED


def subscription_of(row: Json) -> str:
    """The id of the subscription in lower case, or "" if an older daemon does not report it."""
    return _segment(row, 2).casefold()


def resource_group_of(row: Json) -> str:
    """The resource group, or "" if an older daemon does not report it."""
    return _segment(row, 4)


def _segment(row: Json, number: int) -> str:
    segments = str(row.get("target") or "").split("/")
    return segments[number] if len(segments) > number else ""


def _images(row: Json) -> Sequence[str]:
    named = (row.get(key) for key in ("image", "shortImage", "modelImage", "shortModelImage"))
    return [str(each) for each in named if each]


def filtered(store: Json, fits: Callable[[Json], bool]) -> dict[str, Any]:
    """The store, limited to the scale sets and orphans that fit.

    The scale sets are sorted by status, in the order of ORDER, and then by name.
    """
    orphans = [each for each in store.get("orphans") or () if fits(each)]
    rows = sorted((each for each in store["scaleSets"] if fits(each)), key=rank)
    return {**store, "scaleSets": rows, "orphans": orphans}


def rank(row: Json) -> tuple[int, str]:
    """The sort key of a scale set or an orphan: its status, then its name."""
    return _RANKS.get(status_of(row), -1), row["name"]
