"""The rollouts of a plan in words: one line for each scale set, or for several that roll out alike.

A plan and its rows have the shape of `reconciler.prediction.report`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.cli import forecast
from reconciler.prediction.grouping import group_by
from reconciler.rollout.reason import meaning_of
from reconciler.rollout.wording import list_names
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_MOST_WAITS = 8
_MOST_BATCHES = 12  # whose times are shown


@dataclass(frozen=True, slots=True)
class Group:
    """Scale sets with the same rollout at different times. `rows` has their rows, sorted by name."""

    rows: tuple[Json, ...]

    @property
    def row(self) -> Json:
        """The row of the first scale set."""
        return self.rows[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(row["name"] for row in self.rows)

    @property
    def begins(self) -> str:
        return min(begins(row) for row in self.rows)

    @property
    def ends(self) -> str:
        return max(ends(row) for row in self.rows)


def groups(plan: Json) -> list[Group]:
    """The scale sets that roll out as part of the change, with one group for each distinct rollout."""
    return _in_time([Group(tuple(rows)) for rows in group_by(rolling(plan), _shape).values()])


def alone(plan: Json) -> list[Group]:
    """The scale sets that roll out as part of the change, each in a group by itself."""
    return _in_time([Group((row,)) for row in rolling(plan)])


def rolling(plan: Json) -> list[Json]:
    """The rows of the scale sets that roll out as part of the change, sorted by name."""
    return list(filter(is_rolling, plan["scaleSets"]))


def is_rolling(row: Json) -> bool:
    """Whether the scale set is part of the change, and rolls out."""
    return bool(row["changed"] and row["forecast"])


def _in_time(found: Sequence[Group]) -> list[Group]:
    """The groups in the order in which they begin."""
    return sorted(found, key=lambda each: datetime.fromisoformat(each.begins))


def headline(group: Group, plan: Json) -> str:
    """A group in one line: its scale sets, its times, its batches, and its worst loss."""
    size = f"{group.names[0]}: " if len(group.names) == 1 else f"{count(len(group.names), 'scale set')}, "
    each = "each " if len(group.names) > 1 else ""
    return f"{size}{times(group, plan['at'])}; {each}{batches(group, plan)}"


def times(group: Group, observed_at: str) -> str:
    """When a group begins and ends or, if that is unknown, how long the group takes."""
    found = group.row["forecast"]
    if not (found["begins"] and found["ends"]):
        return forecast.duration(found)
    return _period(group.begins, group.ends, observed_at)


def _period(start: str, end: str, observed_at: str) -> str:
    first, last = forecast.moments([start, end], observed_at)
    return f"{first} to {last} ({forecast.between(start, end)})"


def batches(group: Group, plan: Json) -> str:
    """What each scale set of a group goes through, without the times."""
    found = group.row["forecast"]
    parts = [forecast.size(found, _in_batches(found["batches"]))]
    if soak := forecast.soak(found):
        parts.append(soak)
    if found["batches"]:
        parts.append(f"at most {share(found['worstLoss'])} unavailable")
    if end := forecast.ending(found):
        parts.append(end)
    is_late = found["assumedBatchSeconds"] > found["healthTimeoutSeconds"]
    if is_late or found["isMeasured"] or _differs(found, plan):
        parts.append(forecast.batch_time(found))
    return "; ".join(parts)


def _differs(found: Json, plan: Json) -> bool:
    """Whether any other forecast of the change assumes a different batch duration."""
    return any(
        row["forecast"]["assumedBatchSeconds"] != found["assumedBatchSeconds"]
        for row in filter(is_rolling, plan["scaleSets"])
    )


def _in_batches(every: Sequence[Json]) -> str:
    """
    >>> domains = [{"domain": f"zone {n}", "instances": 4, "canary": False} for n in (1, 2, 3)]
    >>> _in_batches(domains)
    '3 batches of 4, one for each zone'
    >>> _in_batches([{"domain": "zone 1", "instances": 1, "canary": True}, *domains[1:]])
    'a canary of 1 and 2 batches of 4, one for each zone'
    >>> _in_batches([*domains, {"domain": "zone 3", "instances": 1, "canary": False}])
    '4 batches of 1 to 4, by zone'
    """
    canary = sum(each["instances"] for each in every if each["canary"])
    rest = [each for each in every if not each["canary"]]
    parts = [f"a canary of {canary}"] if canary else []
    if rest:
        sizes = sorted({each["instances"] for each in rest})
        of = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else f"{sizes[0]}"
        parts.append(f"{count(len(rest), 'batch')} of {of}{_by_domain(rest)}")
    return " and ".join(parts)


def _by_domain(rest: Sequence[Json]) -> str:
    """How the batches follow the domains, or "" if they do not."""
    nouns = {each["domain"].rpartition(" ")[0] for each in rest}
    if len(rest) < 2 or len(nouns) > 1 or nouns <= {"", "batch"}:
        return ""
    is_each = len({each["domain"] for each in rest}) == len(rest)
    return f", one for each {nouns.pop()}" if is_each else f", by {nouns.pop()}"


def waits(group: Group, observed_at: str) -> list[str]:
    """What a group waits for, in order. The times are included if the group is a single scale set."""
    found = group.row["forecast"]
    starts = [datetime.fromisoformat(each["at"]) for each in found["batches"]]
    after: dict[int, list[str]] = {}
    for each in found["waits"]:
        meaning = meaning_of(each["reason"])
        if not (meaning and meaning.ends_when):
            continue
        number = sum(start < datetime.fromisoformat(each["at"]) for start in starts)
        is_dated = number and each["until"] and len(group.names) == 1
        at = f" ({forecast.moment(each['until'], observed_at)})" if is_dated else ""
        after.setdefault(number, []).append(f"{meaning.ends_when}{at}")
    lines = [_wait(number, dict.fromkeys(texts)) for number, texts in after.items()]
    left = len(lines) - _MOST_WAITS
    return [*lines[:_MOST_WAITS], *([f"and {count(left, 'more wait')}"] if left > 0 else [])]


def _wait(number: int, texts: Mapping[str, None]) -> str:
    """
    >>> _wait(0, {"after approval": None}), _wait(3, {"when the window opens": None})
    ('begins after approval', 'continues after batch 3 when the window opens')
    """
    verb = f"continues after batch {number}" if number else "begins"
    return f"{verb} {list_names(texts)}"


def details(group: Group, observed_at: str) -> list[str]:
    """Sentences with what the headline of a group omits: waits and, for a single scale set, the batches."""
    sentences = ["; ".join(waits(group, observed_at))]
    starts = [each["at"] for each in group.row["forecast"]["batches"]]
    if len(group.names) == 1 and starts:
        shown = forecast.moments(starts, observed_at)
        if len(shown) > _MOST_BATCHES:
            shown = [*shown[: _MOST_BATCHES - 1], "…", shown[-1]]
        sentences.append(
            f"{'Batches begin' if len(starts) > 1 else 'The batch begins'} at {', '.join(shown)}"
        )
    return [f"{each[0].upper()}{each[1:]}." for each in sentences if each]


def timed_names(group: Group, plan: Json) -> list[str]:
    """The name of each scale set in a group, with its start time, and a note if it has a risk of its own."""
    at_risk = _at_risk(group, plan)
    return [
        f"{row['name']} {forecast.moment(begins(row), plan['at'])}"
        + (" (see Risks)" if row["name"] in at_risk else "")
        for row in group.rows
    ]


def _at_risk(group: Group, plan: Json) -> set[str]:
    """The scale sets of a group that have a risk which others in the group do not have."""
    names = set(group.names)
    risks = (names & set(each["scaleSets"]) for each in plan.get("risks", ()))
    return {name for each in risks if each < names for name in each}


def share(loss: Json) -> str:
    """
    >>> share({"instances": 4, "of": 20})
    '4 of 20 (20%)'
    """
    return f"{loss['instances']:,} of {loss['of']:,} ({round(100 * loss['instances'] / loss['of'])}%)"


def most_at_once(plan: Json) -> int:
    """The largest number of scale sets whose rollouts are in progress at the same time."""
    changes = sorted(change for each in alone(plan) for change in _changes(each.row))
    most = number = 0
    for _, change in changes:
        number += change
        most = max(most, number)
    return most


def _changes(row: Json) -> Iterator[tuple[datetime, int]]:
    yield datetime.fromisoformat(begins(row)), 1
    yield datetime.fromisoformat(ends(row)), -1


def begins(row: Json) -> str:
    """When the rollout of a row begins. That time may assume that an approval is given."""
    found = row["forecast"]
    return str(found["begins"] or (found["batches"][0]["at"] if found["batches"] else row["at"]))


def ends(row: Json) -> str:
    """When the rollout of a row ends, or else when its last batch begins."""
    found = row["forecast"]
    return str(found["ends"] or (found["batches"][-1]["at"] if found["batches"] else row["at"]))


def _shape(row: Json) -> str:
    """A key that is equal for rollouts that differ only in their times and instance ids."""
    found = row["forecast"]
    every = [(each["domain"], each["instances"], each["canary"]) for each in found["batches"]]
    rest = [
        (key, found[key]) for key in ("worstLoss", "maxBatch", "patches", "assumedBatchSeconds", "endsWith")
    ]
    waited = [(each["reason"], _pause(each)) for each in found["waits"]]
    halts = [each["reason"] for each in row.get("halts", ())]  # of a rehearsal
    return repr((row["wave"], row["image"], every, rest, waited, halts))


def _pause(wait: Json) -> timedelta | None:
    """The length of a soak in whole minutes, or None for any other wait, because its length is not fixed."""
    meaning = meaning_of(wait["reason"])
    if meaning is None or not meaning.is_pause or not wait["until"]:
        return None
    length = datetime.fromisoformat(wait["until"]) - datetime.fromisoformat(wait["at"])
    return timedelta(minutes=round(length / timedelta(minutes=1)))
