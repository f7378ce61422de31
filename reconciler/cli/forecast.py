"""A forecast as text: the headline, with sizes and times, and the parts that it consists of.

`row` is one scale set, in the shape of `reconciler.daemon.report.state`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.rollout.reason import Phase, meaning_of
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_ROUNDED_BY = 5  # percent of the scale set; if rounding changes an amount by this much, the number is shown


def headline(row: Json) -> str:
    """The forecast for a scale set, in one line."""
    forecast = row["forecast"]
    in_batches = count(len(forecast["batches"]), "batch")
    parts = [f"{size(forecast, in_batches)}, {_time(forecast, row['at'])}"]
    if forecast["batches"]:
        loss, total = forecast["worstLoss"]["instances"], forecast["worstLoss"]["of"]
        parts.append(f"at most {loss} of {total} ({round(100 * loss / total)}%) unavailable")
    parts.append(_writes(forecast))
    if end := ending(forecast):
        parts.append(end)
    return f"{'; '.join(parts)} ({batch_time(forecast)})"


def size(forecast: Json, in_batches: str) -> str:
    """The number of instances, and their batches. If rounding changes maxBatch a lot, its value is added.

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


def ending(forecast: Json) -> str:
    """How the rollout ends, or "" if it ends as declared."""
    if forecast["endsWith"] is None:
        return "nothing is forecast after these batches"
    return f"then {forecast['endsWith']}" if forecast["endsWith"] != "UpToDate" else ""


def _time(forecast: Json, observed_at: str) -> str:
    """The duration, how much of it is soak, and the end, if known."""
    within = f" ({paused})" if (paused := soak(forecast)) else ""
    end = meaning_of(forecast["endsWith"] or "")
    verb = "done by" if end and end.phase is Phase.DONE else "blocked from"
    ends = f", {verb} {moment(forecast['ends'], observed_at)}" if forecast["ends"] else ""
    return f"{duration(forecast)}{within}{ends}"


def duration(forecast: Json) -> str:
    """How long the rollout takes once no gate is closed."""
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


def length_range(seconds: Collection[int]) -> str:
    """The shortest and the longest of these durations.

    >>> length_range([180, 600, 180]), length_range([180])
    ('3m to 10m', '3m')
    """
    shown = [format_duration(timedelta(seconds=each)) for each in (min(seconds), max(seconds))]
    return " to ".join(dict.fromkeys(shown))


def _about(length: timedelta) -> str:
    """A duration, rounded to days if it is long, and otherwise up to whole minutes.

    >>> [_about(timedelta(seconds=seconds)) for seconds in (40, 1290, 93_780, 604_980)]
    ['40s', '22m', '26h3m', '7 days']
    """
    minute, day = timedelta(minutes=1), timedelta(days=1)
    if length >= 2 * day:
        return f"{round(length / day)} days"
    return format_duration(length if length < minute else -(-length // minute) * minute)


def moment(at: str, observed_at: str) -> str:
    """A time, rounded up to the minute. The date is left out if it is the day of the observation.

    >>> moment("2026-01-05T09:40:20+00:00", "2026-01-05T09:00:00+00:00")
    '09:41 UTC'
    >>> moment("2026-01-10T02:00:00+00:00", "2026-01-05T09:00:00+00:00")
    'Sat 2026-01-10 02:00 UTC'
    """
    is_same_day = _to_minute(at).date() == _at(observed_at).date()
    return f"{_to_minute(at):%H:%M} UTC" if is_same_day else date(at)


def moments(every: Sequence[str], observed_at: str) -> list[str]:
    """These times as text. A repeated date is left out, and only the last time has a time zone.

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
    """A time with its date, rounded up to the minute.

    >>> date("2026-01-05T09:40:20+00:00")
    'Mon 2026-01-05 09:41 UTC'
    """
    return f"{_to_minute(at):%a %Y-%m-%d %H:%M} UTC"


def between(begins: str, ends: str) -> str:
    """The duration between two times. Both are first rounded as they are shown, so that the result adds up.

    >>> between("2026-01-05T09:40:50+00:00", "2026-01-05T10:51:10+00:00")
    '1h11m'
    """
    return _about(_to_minute(ends) - _to_minute(begins))


def _to_minute(at: str) -> datetime:
    return (_at(at) + timedelta(seconds=59)).replace(second=0, microsecond=0)


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)
