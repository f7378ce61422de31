"""The rollouts of the whole fleet on one time axis: past, under way, and to come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.reason import Reason
from reconciler.spec.duration import short_length
from reconciler.spec.image import short

_LEAST_SPAN = timedelta(minutes=30)
_MOST_TICKS = 8
_STEPS = [timedelta(minutes=each) for each in (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10_080)]
_SCALE = 1000  # units of the axis


@dataclass(frozen=True, slots=True)
class Bar:
    """A period on a lane. `x` is where it begins. `x` and `width` are in thousandths of the axis.

    `kind` is "done", "failed", "superseded", "current", "coming" or "closed" (no window is open).
    """

    kind: str
    x: int
    width: int
    label: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """The bars of one scale set."""

    name: str
    wave: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The axis and its lanes.

    `ticks` are the labels of the axis with their positions, and `now` is the position of the present.
    """

    since: datetime
    until: datetime
    now: int
    ticks: tuple[tuple[int, str], ...]
    lanes: tuple[Lane, ...]
    quiet: int  # scale sets without a known rollout


@dataclass(frozen=True, slots=True)
class _Stretch:
    kind: str
    since: datetime
    until: datetime
    label: str
    commit: str = ""


def timeline(states: Sequence[ScaleSetState], now: datetime, past: timedelta) -> Timeline:
    """The known rollouts of these scale sets, as far back as `past`."""
    oldest = now - past
    found = [
        (
            state,
            [each for each in (*_past(state, now), *_coming(state, now)) if each.until > oldest],
        )
        for state in states
    ]
    shown = [(state, stretches) for state, stretches in found if stretches]
    times = [at for _, stretches in shown for each in stretches for at in (each.since, each.until)]
    since, until = max(min([*times, now]), oldest), max([*times, now])
    missing = _LEAST_SPAN - (until - since)
    if missing > timedelta():
        since, until = since - missing / 2, until + missing / 2
    margin = (until - since) / 50
    since, until = since - margin, until + margin

    def place(at: datetime) -> int:
        return round(_SCALE * ((max(at, since) - since) / (until - since)))

    lanes = tuple(
        Lane(
            state.desired.name,
            state.desired.wave,
            tuple(
                Bar(
                    each.kind,
                    place(each.since),
                    max(3, place(each.until) - place(each.since)),
                    each.label,
                    each.commit,
                )
                for each in stretches
            ),
        )
        for state, stretches in sorted(
            shown, key=lambda pair: (pair[0].desired.wave, _first(pair[1]), pair[0].desired.name)
        )
    )
    ticks = tuple((place(at), label) for at, label in _ticks(since, until))
    return Timeline(since, until, place(now), ticks, lanes, len(states) - len(shown))


def _first(stretches: Sequence[_Stretch]) -> datetime:
    return max(each.since for each in stretches)


_KINDS = {"Succeeded": "done", "Failed": "failed", "GivenUp": "failed", "Superseded": "superseded"}


def _past(state: ScaleSetState, now: datetime) -> Iterator[_Stretch]:
    """The rollouts that have begun."""
    for record in state.published.history.records:
        if record.ended is None:
            since = record.began or state.declared_at or now
            yield _Stretch(
                "current", since, max(now, since), f"{state.desired.name}: {record.message}", record.commit
            )
        else:
            since = record.began or record.ended - timedelta(minutes=1)
            kind = _KINDS[str(record.ending)]
            yield _Stretch(
                kind, since, record.ended, f"{state.desired.name}: {record.message}", record.commit
            )


def _coming(state: ScaleSetState, now: datetime) -> Iterator[_Stretch]:
    """The forecast rollout, and the times at which no window is open."""
    forecast, name = state.published.forecast, state.desired.name
    if forecast is None:
        return
    for wait in forecast.waits:
        if wait.reason is Reason.OUTSIDE_WINDOW and wait.until:
            yield _Stretch("closed", max(wait.at, now), max(wait.until, now), f"{name}: no window is open")
    begins = forecast.begins or (forecast.batches[0].at if forecast.batches else None)
    if begins is None:
        return
    ends = forecast.ends or begins + forecast.lasts
    since = max(begins, now)
    if ends <= since:
        return
    sure = "" if forecast.ends else ", once what it waits for has ended"
    yield _Stretch(
        "coming",
        since,
        ends,
        f"{name}: to {short(state.exact)}, about {short_length(ends - since)}{sure}",
    )


def _ticks(since: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
    """Round times for the labels of the axis, each with its label."""
    span = until - since
    step = next((each for each in _STEPS if span / each <= _MOST_TICKS), _STEPS[-1])
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * -(-(since - midnight) // step)
    while at <= until:
        is_day = at.hour == at.minute == 0
        yield at, f"{at:%a} {at.day} {at:%b}" if is_day else f"{at:%H:%M}"
        at += step
