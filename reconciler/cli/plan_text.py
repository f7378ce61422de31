"""A plan in sentences, for the terminal and for a comment on a pull request.

A plan and its rows have the shape of `reconciler.prediction.report`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.cli import forecast
from reconciler.prediction.grouping import group_by
from reconciler.rollout.reason import Status, meaning_of
from reconciler.rollout.wording import join
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_SOON = timedelta(minutes=2)
_FEW = 3  # names that come before a sentence about them; more come after it


@dataclass(frozen=True, slots=True)
class Group:
    """Scale sets with the same rollout at different times. `rows` has their rows, by name."""

    rows: tuple[Json, ...]

    @property
    def row(self) -> Json:
        """The row of the first one."""
        return self.rows[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(row["name"] for row in self.rows)

    @property
    def begins(self) -> str:
        return min(map(_first, self.rows))

    @property
    def ends(self) -> str:
        return max(map(_last, self.rows))


def headline(plan: Json) -> str:
    """How many scale sets and instances change, and to which image."""
    summary = plan["summary"]
    if not summary["rollingOut"]:
        changed = f"{_scale_sets(summary['changed'])} changed" if summary["changed"] else ""
        removed = f"{count(len(summary['removed']), 'spec')} removed" if summary["removed"] else ""
        return "; ".join(filter(None, ("no scale set rolls out", changed, removed)))
    rolling, changed = summary["rollingOut"], summary["changed"]
    some = f"{rolling:,} of " if rolling < changed else ""
    size = f"{some}{_scale_sets(changed)}, {count(summary['instances'], 'instance')}"
    blocked = [row for row in plan["scaleSets"] if _is_blocked(row)]
    suspended = [row for row in plan["scaleSets"] if _is_left_out(row)]
    rest = [
        *([f"{len(blocked):,} would not begin"] if blocked else []),
        *([f"{len(suspended):,} suspended"] if suspended else []),
    ]
    return "; ".join((f"{size}: {_images(summary['images'])}", *rest))


def _is_blocked(row: Json) -> bool:
    """Whether the change affects the scale set, but no upgrade would begin there."""
    return row["changed"] and not row["forecast"] and row["status"] not in {Status.READY, Status.SUSPENDED}


def _is_left_out(row: Json) -> bool:
    """Whether the change affects the scale set, but it is suspended."""
    return bool(row["changed"] and not row["forecast"] and row["status"] == Status.SUSPENDED)


def timing(plan: Json) -> str:
    """When the rollouts begin and end, and how many instances are unavailable at worst.

    "" if nothing rolls out.
    """
    summary, waves = plan["summary"], plan["waves"]
    if not summary["rollingOut"]:
        return ""
    parts = [count(len(waves), "wave")] if len(waves) > 1 else []
    begin = "once it is resumed" if summary.get("paused") else _begin(summary["begins"], plan["at"])
    parts.append(f"begins {begin}, {_end(summary, plan['at'])}")
    if loss := summary["worstLoss"]:
        parts.append(f"at worst {_share(loss)} unavailable in {loss['name']}{_in_all(plan)}")
    return "; ".join(parts)


def _share(loss: Json) -> str:
    return f"{loss['instances']:,} of {loss['of']:,} ({round(100 * loss['instances'] / loss['of'])}%)"


def _in_all(plan: Json) -> str:
    """How many instances are unavailable at the worst moment, or "" for a single scale set."""
    summary = plan["summary"]
    if summary["rollingOut"] < 2:
        return ""
    worst = summary["worstMoment"]
    return f", and {_share(worst)} in all ({forecast.moment(worst['at'], plan['at'])})"


def waves(plan: Json) -> list[tuple[str, ...]]:
    """The cells for each wave, in the order of WAVE_HEADER. Empty if there is only one wave.

    A wave in which nothing would begin has a row too: a reader would otherwise take the last row for the end.
    """
    rows = {
        each["wave"]: (
            str(each["wave"]),
            forecast.moment(each["begins"], plan["at"]),
            forecast.moment(each["ends"], plan["at"]) if each["ends"] else "unknown",
            f"{each['scaleSets']:,}",
            f"{each['instances']:,}",
            each["first"],
        )
        for each in plan["waves"]
    }
    idle = Counter(row["wave"] for row in plan["scaleSets"] if _is_blocked(row) or _is_left_out(row))
    rows |= {
        wave: (str(wave), "would not begin", "", f"{scale_sets:,}", "0", "")
        for wave, scale_sets in idle.items()
        if rows and wave not in rows
    }
    return [rows[wave] for wave in sorted(rows)] if len(rows) > 1 else []


WAVE_HEADER = ("Wave", "Begins", "Ends", "Scale sets", "Instances", "First")


def risks(plan: Json) -> list[str]:
    """One line for each risk, with the scale sets that it concerns."""
    return [named_line(each["message"], each["scaleSets"]) for each in plan["risks"]]


def base(plan: Json) -> str:
    """The commit that the specs are compared with, or "" if they are compared only with Azure."""
    return f"compared with commit {plan['base'][:10]}" if plan.get("base") else ""


def on_failure(plan: Json) -> list[str]:
    """What happens if an image fails, and how a person can stop the change. Empty if nothing rolls out."""
    groups = plan["summary"]["onFailure"]
    if not groups:
        return []
    parts = [
        f"{each['action']}{_where(each, is_all=len(groups) == 1)}, so {_ON_FAILURE[each['action']]}"
        for each in groups
    ]
    sentences = [f"If the image fails: {'; '.join(parts)}.", *_breaker(plan["summary"])]
    return [" ".join(sentences), f"{_HOW_TO_STOP}."]


def _breaker(summary: Json) -> list[str]:
    """When other scale sets no longer begin the image. No sentence if there are none."""
    if summary["total"] < 2:
        return []
    allowed = summary["failuresAllowed"]
    ends = _scale_sets(allowed + 1)
    return [f"Once it has failed in {ends}, no other scale set begins it (`maxFailedRollouts`)."]


def _where(group: Json, *, is_all: bool) -> str:
    return "" if is_all else f" in {_scale_sets(len(group['scaleSets']))}"


_ON_FAILURE = {
    "hold": "no further instance is upgraded until a fix is merged",
    "repin": "the model and the unhealthy instances return to the last good image",
    "rollback": "the model and all upgraded instances return to the last good image",
}
_HOW_TO_STOP = (
    "To stop it: run `reconciler pause --all`, or merge `freeze: true` into the Fleet. "
    "A batch in progress is completed"
)


def others(plan: Json) -> str:
    """Everything except the rollouts of the change, in one line, or "" if there is nothing.

    That is: scale sets without an upgrade, other rollouts, and changed settings of the Fleet.
    """
    summary, rows = plan["summary"], plan["scaleSets"]
    still = Counter(row["reason"] or "not read" for row in rows if not row["forecast"])
    reasons = ", ".join(f"{amount:,} {reason}" for reason, amount in sorted(still.items()))
    parts = [f"{_scale_sets(still.total())} without an upgrade: {reasons}"] if still else []
    if names := summary["otherRollouts"]:
        parts.append(f"{_scale_sets(len(names))} outside the change: {join(names)}")
    if summary["fleetChanged"]:
        parts.append("the settings of the Fleet change, for all scale sets")
    return "; ".join(parts)


def groups(plan: Json) -> list[Group]:
    """The scale sets of the change that roll out. Those with the same rollout are one group."""
    rolling = [row for row in plan["scaleSets"] if row["changed"] and row["forecast"]]
    return _in_time([Group(tuple(rows)) for rows in group_by(rolling, _shape).values()])


def alone(plan: Json) -> list[Group]:
    """The scale sets of the change that roll out, each in a group by itself."""
    return _in_time([Group((row,)) for row in plan["scaleSets"] if row["changed"] and row["forecast"]])


def _in_time(found: Sequence[Group]) -> list[Group]:
    """The groups in the order in which they begin."""
    return sorted(found, key=lambda each: datetime.fromisoformat(each.begins))


def timed_names(group: Group, observed_at: str) -> list[str]:
    """The name of each scale set of a group, with the time at which it begins."""
    return [f"{row['name']} {forecast.moment(_first(row), observed_at)}" for row in group.rows]


def group_headline(group: Group, observed_at: str) -> str:
    """The headline of a group, in one line."""
    if len(group.names) == 1:
        return f"{group.names[0]}: {forecast.headline(group.row)}"
    during = f"{forecast.moment(group.begins, observed_at)} to {forecast.moment(group.ends, observed_at)}"
    each = forecast.headline(group.row, is_dated=False)
    return f"{_scale_sets(len(group.names))}, {during}; each {each}"


def _scale_sets(amount: int) -> str:
    return count(amount, "scale set")


def _images(changes: Sequence[Json]) -> str:
    """
    >>> change = {"from": "c:ubuntu:server:1", "to": "c:ubuntu:server:2", "shortFrom": "1", "shortTo": "2"}
    >>> _images([change])
    'ubuntu server 1 → 2'
    """
    shown = [_image(each) for each in changes]
    if len(changes) == 1:
        return shown[0]
    return join([f"{text} ({len(each['scaleSets'])})" for text, each in zip(shown, changes, strict=True)])


def _image(change: Json) -> str:
    if not change["from"]:
        return f"to {change['shortTo']}"
    if change["from"] == change["to"]:
        return f"continue to {change['shortTo']}"
    return f"{_series(change['from'], change['to'])}{change['shortFrom']} → {change['shortTo']}"


def _series(before: str, after: str) -> str:
    """The offer and the SKU, if both are versions of one platform image, otherwise ""."""
    one, other = before.split(":"), after.split(":")
    if len(one) != 4 or one[:3] != other[:3]:
        return ""
    return f"{one[1]} {one[2]} "


def _begin(begins: str, at: str) -> str:
    is_now = datetime.fromisoformat(begins) - datetime.fromisoformat(at) < _SOON
    return "now" if is_now else forecast.moment(begins, at)


def _end(summary: Json, at: str) -> str:
    if summary["unfinishedAt"]:
        return f"does not end by {forecast.moment(summary['unfinishedAt'], at)}"
    if not summary["ends"]:
        return "does not complete"
    length = datetime.fromisoformat(summary["ends"]) - datetime.fromisoformat(summary["begins"])
    minutes = timedelta(minutes=-(-length // timedelta(minutes=1)))
    return f"ends about {forecast.moment(summary['ends'], at)} ({format_duration(minutes)})"


def named_line(message: str, names: Sequence[str]) -> str:
    """A message with the names of its scale sets: in front if there are few, at the end if there are many."""
    if not names:
        return message
    if len(names) <= _FEW:
        return f"{join(names)}: {message}"
    return f"{_scale_sets(len(names))}: {message} ({join(names)})"


def _shape(row: Json) -> str:
    """A key that is equal for rollouts that differ only in their times and instance ids."""
    found = row["forecast"]
    batches = [(each["domain"], each["instances"], each["canary"]) for each in found["batches"]]
    rest = [
        (key, found[key]) for key in ("worstLoss", "maxBatch", "patches", "assumedBatchSeconds", "endsWith")
    ]
    waits = [(each["reason"], _pause(each)) for each in found["waits"]]
    halts = [each["reason"] for each in row.get("halts", ())]  # of a rehearsal
    return repr((row["wave"], row["image"], batches, rest, waits, halts))


def _pause(wait: Json) -> timedelta | None:
    """The length of a soak in whole minutes, or None for any other wait, because its length is not fixed."""
    meaning = meaning_of(wait["reason"])
    if meaning is None or not meaning.is_pause or not wait["until"]:
        return None
    length = datetime.fromisoformat(wait["until"]) - datetime.fromisoformat(wait["at"])
    return timedelta(minutes=round(length / timedelta(minutes=1)))


def _first(row: Json) -> str:
    found = row["forecast"]
    return str(found["begins"] or (found["batches"][0]["at"] if found["batches"] else row["at"]))


def _last(row: Json) -> str:
    found = row["forecast"]
    return str(found["ends"] or (found["batches"][-1]["at"] if found["batches"] else row["at"]))
