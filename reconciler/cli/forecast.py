"""A forecast as text: a headline with its sizes and times, and a line for each batch.

`row` is one scale set, in the shape of `reconciler.daemon.report.state`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.rollout.reason import Phase, meaning_of
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_MOST_LINES = 8
_ROUNDED_BY = 5  # percent of the scale set; if rounding changes an amount by this much, the number is shown


@dataclass(frozen=True, slots=True)
class Line:
    """A line about batches: their numbers, their domains, and the number of instances in each.

    A line about a wait, or about omitted lines, has only `text`.
    """

    numbers: str
    text: str
    taken: str = ""


def headline(row: Json, *, is_dated: bool = True) -> str:
    """The forecast for a scale set, in one line.

    Without dates, the line applies to every scale set with the same rollout.
    """
    forecast = row["forecast"]
    in_batches = count(len(forecast["batches"]), "batch")
    parts = [f"{size(forecast, in_batches)}, {_time(forecast, row['at'], is_dated=is_dated)}"]
    if forecast["batches"]:
        loss, total = forecast["worstLoss"]["instances"], forecast["worstLoss"]["of"]
        parts.append(f"at most {loss} of {total} ({round(100 * loss / total)}%) unavailable")
    parts.append(_writes(forecast))
    if forecast["endsWith"] is None:
        parts.append("nothing is forecast after these batches")
    elif forecast["endsWith"] != "UpToDate":
        parts.append(f"then {forecast['endsWith']}")
    return f"{'; '.join(parts)} ({batch_time(forecast)})"


def lines(row: Json, *, is_dated: bool = True) -> list[Line]:
    """The batches in order, with the waits between them. Many batches are folded into a few lines."""
    shown = list(_lines(row, is_folded=False, is_dated=is_dated))
    if len(shown) > _MOST_LINES:
        shown = list(_lines(row, is_folded=True, is_dated=is_dated))
    if len(shown) > _MOST_LINES:
        total = len(row["forecast"]["batches"])
        shown = [*shown[: _MOST_LINES - 1], Line("", f"and so on, up to batch {total}")]
    return shown


def _lines(row: Json, *, is_folded: bool, is_dated: bool) -> Iterator[Line]:
    waits = [each for each in row["forecast"]["waits"] if _ends(each)]
    number = 1
    for run in _runs(row["forecast"]["batches"], waits, is_folded=is_folded):
        while waits and _at(waits[0]["at"]) <= _at(run[0]["at"]):
            yield _wait(waits.pop(0), "begins" if number == 1 else "continues", row["at"] if is_dated else "")
        yield _batches(run, number)
        number += len(run)
    for each in waits:
        yield _wait(each, "begins" if number == 1 else "continues", row["at"] if is_dated else "")


def _runs(batches: Sequence[Json], waits: Sequence[Json], *, is_folded: bool) -> list[list[Json]]:
    """The batches, grouped by line.

    If `is_folded`, similar batches share a line, unless there is a wait between them.
    """
    starts = {_at(each["at"]) for each in waits}
    runs: list[list[Json]] = []
    for batch in batches:
        last = runs[-1][-1] if runs else None
        is_more = (
            is_folded
            and last is not None
            and _similarity(last) == _similarity(batch)
            and not any(_at(last["at"]) < start <= _at(batch["at"]) for start in starts)
        )
        if is_more:
            runs[-1].append(batch)
        else:
            runs.append([batch])
    return runs


def _similarity(batch: Json) -> tuple[int, bool]:
    return batch["instances"], batch["canary"]


def _batches(run: Sequence[Json], number: int) -> Line:
    first, last = run[0], run[-1]
    numbers = f"{number}-{number + len(run) - 1}" if len(run) > 1 else str(number)
    domains = [first["domain"]] if first["domain"] == last["domain"] else [first["domain"], last["domain"]]
    each = " each" if len(run) > 1 else ""
    canary = " (canary)" if first["canary"] else ""
    return Line(numbers, " to ".join(domains), f"{count(first['instances'], 'instance')}{each}{canary}")


def _wait(hold: Json, verb: str, observed_at: str) -> Line:
    at = f", {moment(hold['until'], observed_at)}" if hold["until"] and observed_at else ""
    return Line("", f"{verb} {_ends(hold)}{at}")


def _ends(hold: Json) -> str:
    """When a wait ends, as text, or "" if the wait is not shown or its reason is unknown."""
    meaning = meaning_of(hold["reason"])
    return meaning.ends_when if meaning else ""


def size(forecast: Json, in_batches: str) -> str:
    """The number of instances, and their batches. If rounding changes maxBatch much, its value is added.

    >>> most = {"declared": "20%", "instances": 1}
    >>> size({"batches": [{"instances": 1}] * 3, "maxBatch": most, "worstLoss": {"of": 3}}, "3 batches")
    '3 instances in 3 batches (maxBatch 20% is 1 of 3)'
    """
    batches, declared = forecast["batches"], forecast["maxBatch"]["declared"]
    if not batches:
        return "no instance to upgrade"
    most, total = forecast["maxBatch"]["instances"], forecast["worstLoss"]["of"]
    taken = sum(batch["instances"] for batch in batches)
    is_rounded = declared.endswith("%") and abs(100 * most / total - int(declared[:-1])) >= _ROUNDED_BY
    amount = f" (maxBatch {declared} is {most} of {total})" if is_rounded else ""
    return f"{count(taken, 'instance')} in {in_batches}{amount}"


def _time(forecast: Json, observed_at: str, *, is_dated: bool) -> str:
    """The duration, how much of it is soak, and the end if it is known."""
    within = f" ({paused})" if (paused := soak(forecast)) else ""
    end = meaning_of(forecast["endsWith"] or "")
    verb = "done by" if end and end.phase is Phase.DONE else "blocked from"
    ends = f", {verb} {moment(forecast['ends'], observed_at)}" if forecast["ends"] and is_dated else ""
    return f"{duration(forecast)}{within}{ends}"


def duration(forecast: Json) -> str:
    """How long the rollout takes from its first step on, without waits for others."""
    return f"about {_about(timedelta(seconds=forecast['seconds']))}"


def soak(forecast: Json) -> str:
    """How much of the duration is soak, or "" if there is none."""
    pauses = [
        each for each in forecast["waits"] if (meaning := meaning_of(each["reason"])) and meaning.is_pause
    ]
    paused = sum((_at(each["until"]) - _at(each["at"]) for each in pauses), timedelta())
    return f"{_about(paused)} of it soak" if paused else ""


def _writes(forecast: Json) -> str:
    """
    >>> _writes({"patches": 1, "batches": [{}, {}]})
    '1 patch, 2 upgrades'
    """
    writes = ((forecast["patches"], "patch"), (len(forecast["batches"]), "upgrade"))
    return ", ".join(count(number, noun) for number, noun in writes if number)


def batch_time(forecast: Json) -> str:
    """The duration of a batch, with a note if it exceeds `health.timeout`.

    >>> batch_time({"isMeasured": False, "assumedBatchSeconds": 180, "healthTimeoutSeconds": 60})
    'assuming 3m for each batch, which exceeds health.timeout (1m)'
    """
    took, timeout = (
        timedelta(seconds=forecast[key]) for key in ("assumedBatchSeconds", "healthTimeoutSeconds")
    )
    late = f", which exceeds health.timeout ({format_duration(timeout)})" if took > timeout else ""
    text = f"{format_duration(took)} for each batch"
    return f"{text}, as measured{late}" if forecast["isMeasured"] else f"assuming {text}{late}"


def _about(length: timedelta) -> str:
    """A duration, rounded to days if it is long, or else up to whole minutes.

    >>> [_about(timedelta(seconds=seconds)) for seconds in (40, 1290, 93_780, 604_980)]
    ['40s', '22m', '26h3m', '7 days']
    """
    minute, day = timedelta(minutes=1), timedelta(days=1)
    if length >= 2 * day:
        return f"{round(length / day)} days"
    return format_duration(length if length < minute else -(-length // minute) * minute)


def moment(at: str, observed_at: str) -> str:
    """A time, rounded up to whole minutes. It has a date unless it is on the day of the observation.

    >>> moment("2026-01-05T09:40:20+00:00", "2026-01-05T09:00:00+00:00")
    '09:41 UTC'
    >>> moment("2026-01-10T02:00:00+00:00", "2026-01-05T09:00:00+00:00")
    'Sat 2026-01-10 02:00 UTC'
    """
    is_same_day = _to_minute(at).date() == _at(observed_at).date()
    return f"{_to_minute(at):%H:%M} UTC" if is_same_day else date(at)


def moments(every: Sequence[str], observed_at: str) -> list[str]:
    """Times in order. A date that the time before has, and the zone of all but the last, are left out.

    >>> moments(["2026-01-10T02:00:00+00:00", "2026-01-10T02:30:00+00:00"], "2026-01-05T09:00:00+00:00")
    ['Sat 2026-01-10 02:00', '02:30 UTC']
    """
    texts = [moment(each, observed_at) for each in every]
    dates = ["", *(text[: -len("02:00 UTC")] for text in texts)]
    shown = [
        text[len(date) :] if date == before else text
        for before, date, text in zip(dates, dates[1:], texts, strict=False)
    ]
    return [*(text.removesuffix(" UTC") for text in shown[:-1]), *shown[-1:]]


def date(at: str) -> str:
    """A time with its date, rounded up to whole minutes.

    >>> date("2026-01-05T09:40:20+00:00")
    'Mon 2026-01-05 09:41 UTC'
    """
    return f"{_to_minute(at):%a %Y-%m-%d %H:%M} UTC"


def between(begins: str, ends: str) -> str:
    """The time between two times as they are shown, so that a reader can check it.

    >>> between("2026-01-05T09:40:50+00:00", "2026-01-05T10:51:10+00:00")
    '1h11m'
    """
    return _about(_to_minute(ends) - _to_minute(begins))


def _to_minute(at: str) -> datetime:
    return (_at(at) + timedelta(seconds=59)).replace(second=0, microsecond=0)


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)
