"""The fleet as a person reads it: five answers at the top, and a line for each scale set, grouped by wave."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.orphan import Orphan
from reconciler.daemon.report import disruption
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.status_word import ORDER, ORPHANED
from reconciler.rollout.reason import Phase, Reason
from reconciler.spec.image import same, short
from reconciler.spec.label import Requirement, requirement_error
from reconciler.web.page.words import ALARMING, RANKS, status_word


@dataclass(frozen=True, slots=True)
class FleetRow:
    """The line of one scale set or orphan.

    `ends` says what would end the status. `done_at` is when the rollout is complete according to the
    forecast, and `until` is when the next step may be taken. `had` is the image that the scale set still has,
    or "" if it has the wanted image. `is_unsafe` means that no instance may be taken out of service now.
    `is_unknown` means that the instances were never counted, so `is_behind` and `is_unsafe` may be False only
    for that reason. `wave` is None for an orphan.
    """

    name: str
    status: str
    reason: str
    message: str
    ends: str
    since: datetime | None
    until: datetime | None
    done_at: datetime | None
    wanted: str
    had: str
    up_to_date: int
    unavailable: int
    total: int
    wave: int | None
    labels: Mapping[str, str]
    is_behind: bool
    is_unsafe: bool = False
    is_unknown: bool = False
    behind_commit: str = ""

    @property
    def is_orphan(self) -> bool:
        return self.wave is None


def fleet_row(state: ScaleSetState) -> FleetRow:
    outcome, counts, forecast = state.outcome, state.seen.counts, state.published.forecast
    is_complete = forecast is not None and forecast.end_reason is not None
    is_done = forecast is not None and is_complete and _ends_done(forecast.end_reason)
    return FleetRow(
        name=state.desired.name,
        status=status_word(state),
        reason=str(outcome.reason) if outcome else "",
        message=outcome.full_message if outcome else "declared, and not observed yet",
        ends=outcome.reason.meaning.remedy if outcome else "",
        since=state.published.since or state.declared_at,
        until=outcome.until if outcome else None,
        done_at=forecast.ends if forecast is not None and is_done else None,
        wanted=short(state.exact),
        had=_image_had(state),
        up_to_date=counts.up_to_date if counts else 0,
        unavailable=counts.unavailable if counts else 0,
        total=counts.total if counts else 0,
        wave=state.desired.wave,
        labels=state.desired.labels,
        is_behind=is_behind(state),
        is_unsafe=_is_unsafe(state),
        is_unknown=counts is None,
        behind_commit=state.behind.refused.short if state.behind else "",
    )


def orphan_row(orphan: Orphan) -> FleetRow:
    return FleetRow(
        name=orphan.name,
        status=ORPHANED,
        reason=ORPHANED,
        message=orphan.message,
        ends=f"declare it again, or run `reconciler dismiss {orphan.name}`",
        since=orphan.began,
        until=None,
        done_at=None,
        wanted=orphan.image,
        had="",
        up_to_date=orphan.up_to_date,
        unavailable=0,
        total=orphan.total,
        wave=None,
        labels={},
        is_behind=True,
    )


def is_behind(state: ScaleSetState) -> bool:
    """Whether the model, or an instance that an upgrade would reach, is not on the declared image."""
    model, counts = state.seen.listed_or_read, state.seen.counts
    if model is not None and model.image is not None and not same(model.image, state.exact):
        return state.outcome is None or state.outcome.reason is not Reason.UP_TO_DATE
    return counts is not None and counts.up_to_date + counts.left_out < counts.total


@dataclass(frozen=True, slots=True)
class Headline:
    """The answers at the top of the page.

    `listed` is the number of lines, and `total` the number of lines without the orphans. `unsafe` has the
    scale sets in which no instance may be taken out of service now. `unknown` has the scale sets whose
    instances were never counted, and `maybe_behind` has the unknown ones that are not known to be behind.
    `done_at` is when the last forecast ends. `undated` has the scale sets that are behind, but have no known
    end.
    """

    listed: int
    total: int
    behind: tuple[str, ...]
    alarming: tuple[str, ...]
    unsafe: tuple[str, ...]
    unknown: tuple[str, ...]
    maybe_behind: tuple[str, ...]
    done_at: datetime | None
    undated: tuple[str, ...]
    counts: Mapping[str, int]
    instances: int
    up_to_date: int


def headline(rows: Sequence[FleetRow], now: datetime) -> Headline:
    """The answers for all scale sets, whatever the filter shows.

    A forecast is ignored if it is overdue, or if its scale set stands still.
    """
    behind = [each for each in rows if each.is_behind]
    unknown = [each for each in rows if each.is_unknown]
    dates = {
        each.name: each.done_at
        for each in behind
        if each.done_at and each.done_at > now and each.status not in ALARMING
    }
    return Headline(
        listed=len(rows),
        total=sum(not each.is_orphan for each in rows),
        behind=tuple(each.name for each in behind),
        alarming=tuple(each.name for each in rows if each.status in ALARMING),
        unsafe=tuple(each.name for each in rows if each.is_unsafe),
        unknown=tuple(each.name for each in unknown),
        maybe_behind=tuple(each.name for each in unknown if not each.is_behind),
        done_at=max(dates.values(), default=None),
        undated=tuple(each.name for each in behind if each.name not in dates),
        counts=Counter(each.status for each in rows),
        instances=sum(each.total for each in rows),
        up_to_date=sum(each.up_to_date for each in rows),
    )


@dataclass(frozen=True, slots=True)
class FleetQuery:
    """The filter and the order that the form of the page asks for.

    A label is "key", "key=value" or "key!=value".
    """

    text: str = ""
    labels: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    sort: str = "wave"
    is_behind: bool = False

    @classmethod
    def of(cls, given: Iterable[tuple[str, str]]) -> "FleetQuery":
        """Read the query of a URL. Unknown fields and values are ignored."""
        asked = [(name, value.strip()) for name, value in given]
        known = {each.casefold(): each for each in ORDER}
        sorts = [value for name, value in asked if name == "sort" and value in SORTS]
        return cls(
            text=next((value for name, value in asked if name == "q"), ""),
            labels=tuple(
                part.strip()
                for name, value in asked
                if name == "label"
                for part in value.split(",")
                if part.strip()
            ),
            statuses=tuple(
                known[value.casefold()]
                for name, value in asked
                if name == "status" and value.casefold() in known
            ),
            sort=sorts[-1] if sorts else "wave",
            is_behind=any(name == "behind" and value == "1" for name, value in asked),
        )

    def fits(self, row: FleetRow) -> bool:
        """Whether the query shows this row."""
        if self.statuses and row.status not in self.statuses:
            return False
        if self.is_behind and not row.is_behind:
            return False
        text = self.text.casefold()
        if text and not any(
            text in each.casefold() for each in (row.name, row.reason, row.wanted, row.had, row.message)
        ):
            return False
        required = [Requirement.of(each) for each in self.labels]
        return all(each.is_valid and each.fits(row.labels) for each in required)

    @property
    def error(self) -> str:
        """What is wrong with a label, or "" if every label is valid. With a wrong label, no line is shown."""
        wrong = next((each for each in self.labels if not Requirement.of(each).is_valid), None)
        return "" if wrong is None else requirement_error(wrong)


def sections(rows: Iterable[FleetRow], query: FleetQuery) -> list[tuple[str, list[FleetRow]]]:
    """The lines that fit, under headings: a section for each wave, or a single one if not sorted by wave."""
    shown = sorted((each for each in rows if query.fits(each)), key=SORTS[query.sort])
    if query.sort != "wave":
        return [("", shown)] if shown else []
    found: dict[int | None, list[FleetRow]] = {}
    for each in shown:
        found.setdefault(each.wave, []).append(each)
    return [
        (_heading(wave), found[wave]) for wave in sorted(found, key=lambda wave: (wave is None, wave or 0))
    ]


def _heading(wave: int | None) -> str:
    return "Spec removed" if wave is None else f"Wave {wave}"


def _by_end(row: FleetRow) -> tuple[bool, float, str]:
    return row.done_at is None, row.done_at.timestamp() if row.done_at else 0.0, row.name


def _by_progress(row: FleetRow) -> tuple[float, str]:
    return row.up_to_date / row.total if row.total else 1.0, row.name


SORTS: Mapping[str, Callable[[FleetRow], tuple[object, ...]]] = {
    "wave": lambda row: (row.name,),  # not by status: a line that moves is hard to follow
    "name": lambda row: (row.name,),
    "status": lambda row: (RANKS[row.status], row.name),
    "left": _by_end,
    "progress": _by_progress,
}


def _image_had(state: ScaleSetState) -> str:
    """The most common unwanted image of the instances, or else that of the model, or "" if there is none."""
    seen, exact = state.seen.instances, state.exact
    images = {id(each.image): each.image for each in seen}
    others = {key for key, image in images.items() if image is not None and not same(image, exact)}
    counted = Counter(id(each.image) for each in seen if id(each.image) in others)
    if counted:
        ((most, _),) = counted.most_common(1)
        image = images[most]
        return short(image) if image else ""
    model = state.seen.listed_or_read
    is_other = model is not None and model.image is not None and not same(model.image, exact)
    return short(model.image) if model and model.image and is_other else ""


def _is_unsafe(state: ScaleSetState) -> bool:
    found = disruption(state)
    return found is not None and found["of"] > 0 and found["allowed"] == 0


def _ends_done(reason: Reason | None) -> bool:
    return reason is not None and reason.meaning.phase is Phase.DONE
