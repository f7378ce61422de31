"""A forecast in words: how many batches, how long, at what loss; and the batches themselves, folded.

A row is of the shape of `reconciler.daemon.report.entry`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.cli.table import count
from reconciler.rollout.reason import Phase, meaning_of
from reconciler.spec.duration import format_duration

Json = Mapping[str, Any]

_MOST_LINES = 8
_OFF = 5  # percent of the scale set: an amount that is rounded by so much is said as what it comes to


@dataclass(frozen=True, slots=True)
class Line:
    """One line about batches: their numbers, their domains, how many each takes.

    Of a wait, and where lines are left out, there is only `text`.
    """

    numbers: str
    text: str
    taken: str = ""


def headline(row: Json) -> str:
    """All that is to come of a scale set, in one line."""
    forecast = row["forecast"]
    parts = [f"{_size(forecast)}, {_time(forecast, row['at'])}"]
    if forecast["batches"]:
        loss, total = forecast["worstLoss"]["instances"], forecast["worstLoss"]["of"]
        parts.append(f"at worst {loss} of {total} ({round(100 * loss / total)}%) unavailable")
    parts.append(_writes(forecast))
    if forecast["endsWith"] is None:
        parts.append("what comes after these batches is not forecast")
    elif forecast["endsWith"] != "UpToDate":
        parts.append(f"then {forecast['endsWith']}")
    return f"{'; '.join(parts)} ({_tempo(forecast)})"


def lines(row: Json) -> list[Line]:
    """The batches in order, and what is waited for before them, in as few lines as will do."""
    told = list(_lines(row, is_folded=False))
    if len(told) > _MOST_LINES:
        told = list(_lines(row, is_folded=True))
    if len(told) > _MOST_LINES:
        total = len(row["forecast"]["batches"])
        told = [*told[: _MOST_LINES - 1], Line("", f"and so on, to batch {total}")]
    return told


def _lines(row: Json, *, is_folded: bool) -> Iterator[Line]:
    waits = [each for each in row["forecast"]["holds"] if _ends(each)]
    number = 1
    for run in _runs(row["forecast"]["batches"], waits, is_folded=is_folded):
        while waits and _at(waits[0]["at"]) <= _at(run[0]["at"]):
            yield _wait(waits.pop(0), "begins" if number == 1 else "goes on", row["at"])
        yield _batches(run, number)
        number += len(run)
    for each in waits:
        yield _wait(each, "begins" if number == 1 else "goes on", row["at"])


def _runs(batches: Sequence[Json], waits: Sequence[Json], *, is_folded: bool) -> list[list[Json]]:
    """Batches that one line can tell: alike, and with no wait between them."""
    starts = {_at(each["at"]) for each in waits}
    runs: list[list[Json]] = []
    for batch in batches:
        last = runs[-1][-1] if runs else None
        is_more = (
            is_folded
            and last is not None
            and _likeness(last) == _likeness(batch)
            and not any(_at(last["at"]) < start <= _at(batch["at"]) for start in starts)
        )
        if is_more:
            runs[-1].append(batch)
        else:
            runs.append([batch])
    return runs


def _likeness(batch: Json) -> tuple[int, bool]:
    return batch["instances"], batch["canary"]


def _batches(run: Sequence[Json], number: int) -> Line:
    first, last = run[0], run[-1]
    numbers = f"{number}-{number + len(run) - 1}" if len(run) > 1 else str(number)
    domains = [first["domain"]] if first["domain"] == last["domain"] else [first["domain"], last["domain"]]
    each = " each" if len(run) > 1 else ""
    canary = " (canary)" if first["canary"] else ""
    return Line(numbers, " to ".join(domains), f"{count(first['instances'], 'instance')}{each}{canary}")


def _wait(hold: Json, verb: str, seen_at: str) -> Line:
    at = f", {_moment(hold['until'], seen_at)}" if hold["until"] else ""
    return Line("", f"{verb} {_ends(hold)}{at}")


def _ends(hold: Json) -> str:
    """When a wait is over, in words; "" for one that is not told, or that only a newer version knows."""
    meaning = meaning_of(hold["reason"])
    return meaning.ends_when if meaning else ""


def _size(forecast: Json) -> str:
    """How much is to be done, and what maxBatch comes to where that is not what it seems.

    >>> most = {"declared": "20%", "instances": 1}
    >>> _size({"batches": [{"instances": 1}] * 3, "maxBatch": most, "worstLoss": {"of": 3}})
    '3 instances in 3 batches (maxBatch 20% is 1 of 3)'
    """
    batches, declared = forecast["batches"], forecast["maxBatch"]["declared"]
    if not batches:
        return "no instance to upgrade"
    most, total = forecast["maxBatch"]["instances"], forecast["worstLoss"]["of"]
    taken = sum(batch["instances"] for batch in batches)
    in_batches = "1 batch" if len(batches) == 1 else f"{len(batches)} batches"
    is_off = declared.endswith("%") and abs(100 * most / total - int(declared[:-1])) >= _OFF
    amount = f" (maxBatch {declared} is {most} of {total})" if is_off else ""
    return f"{count(taken, 'instance')} in {in_batches}{amount}"


def _time(forecast: Json, seen_at: str) -> str:
    """How long it takes, how much of that is resting, and when it is over where that can be said."""
    rests = [
        each for each in forecast["holds"] if (meaning := meaning_of(each["reason"])) and meaning.is_pause
    ]
    resting = sum((_at(each["until"]) - _at(each["at"]) for each in rests), timedelta())
    within = f" ({_about(resting)} of it soaking)" if resting else ""
    end = meaning_of(forecast["endsWith"] or "")
    verb = "done by" if end and end.phase is Phase.DONE else "held from"
    ends = f", {verb} {_moment(forecast['ends'], seen_at)}" if forecast["ends"] else ""
    return f"about {_about(timedelta(seconds=forecast['seconds']))}{within}{ends}"


def _writes(forecast: Json) -> str:
    """
    >>> _writes({"patches": 1, "batches": [{}, {}]})
    '1 patch, 2 upgrades'
    """
    writes = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in (
            (forecast["patches"], "patch", "patches"),
            (len(forecast["batches"]), "upgrade", "upgrades"),
        )
        if number
    ]
    return ", ".join(writes)


def _tempo(forecast: Json) -> str:
    """What a batch takes, and whether `health.timeout` lets it.

    >>> _tempo({"isMeasured": False, "assumedBatchSeconds": 180, "healthTimeoutSeconds": 60})
    'assuming 3m a batch, which health.timeout, 1m, may cut short'
    """
    took, timeout = (
        timedelta(seconds=forecast[key]) for key in ("assumedBatchSeconds", "healthTimeoutSeconds")
    )
    late = f", which health.timeout, {format_duration(timeout)}, may cut short" if took > timeout else ""
    said = f"{format_duration(took)} a batch"
    return f"{said}, as its last ones{late}" if forecast["isMeasured"] else f"assuming {said}{late}"


def _about(length: timedelta) -> str:
    """In whole minutes, or days.

    >>> [_about(timedelta(seconds=seconds)) for seconds in (40, 1290, 93_780, 604_980)]
    ['40s', '22m', '26h3m', '7 days']
    """
    minute, day = timedelta(minutes=1), timedelta(days=1)
    if length >= 2 * day:
        return f"{round(length / day)} days"
    return format_duration(length if length < minute else -(-length // minute) * minute)


def _moment(at: str, seen_at: str) -> str:
    """In whole minutes, none too early; with its day, where that is another than that of the look.

    >>> _moment("2026-01-05T09:40:20+00:00", "2026-01-05T09:00:00+00:00")
    '09:41 UTC'
    >>> _moment("2026-01-10T02:00:00+00:00", "2026-01-05T09:00:00+00:00")
    'Sat 2026-01-10 02:00 UTC'
    """
    moment = _at(at) + timedelta(seconds=59)
    is_same_day = moment.date() == _at(seen_at).date()
    return f"{moment:%H:%M} UTC" if is_same_day else f"{moment:%a %Y-%m-%d %H:%M} UTC"


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)
