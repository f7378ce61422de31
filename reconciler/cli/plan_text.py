"""A plan in sentences, for the terminal and for a comment on a pull request.

A plan and its rows have the shape of `reconciler.prediction.report`.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from reconciler.cli import forecast, plan_group
from reconciler.cli.plan_failure import is_piloted
from reconciler.cli.plan_group import Group
from reconciler.cli.status_table import share_of_all, why
from reconciler.prediction.grouping import group_by
from reconciler.rollout.reason import Hold, Status, meaning_of
from reconciler.rollout.wording import join, list_names
from reconciler.spec.wording import count, one_of

Json = Mapping[str, Any]

_SOON = timedelta(minutes=2)
_MOST_ROWS = 10  # scale sets that roll out with a row each; more share rows
_WAITING = "waiting "  # begins what `prediction.block` says of scale sets that wait
_FEW = 3  # names that come before a sentence about them; more come after it


def _is_suspended(reason: str) -> bool:
    """Whether the reason is the suspension of single scale sets, rather than a hold on the whole fleet."""
    meaning = meaning_of(reason)
    return meaning is not None and meaning.hold is Hold.SUSPENSION


def headline(plan: Json) -> str:
    """How many scale sets and instances change, and to which image."""
    summary = plan["summary"]
    if not summary["rollingOut"]:
        changed = f"{_scale_sets(summary['changed'])} changed" if summary["changed"] else ""
        removed = f"{count(len(summary['removed']), 'spec')} removed" if summary["removed"] else ""
        return "; ".join(filter(None, ("no scale set rolls out", changed, removed)))
    rolling, changed = summary["rollingOut"], summary["changed"]
    some = f"{rolling:,} of " if rolling < changed else ""
    size = f"{some}{_scale_sets(changed)}, {_instances(plan)}"
    return f"{size}: {_images(summary['images'])}"


def _instances(plan: Json) -> str:
    """How many instances are upgraded. If some are not, the total is given too."""
    number = plan["summary"]["instances"]
    text = _share(number, _affected_rows(plan))
    return count(number, "instance") if text == f"{number:,}" else f"{text} instances"


def _share(number: int, rows: Sequence[Json]) -> str:
    """The number of upgraded instances and, if it is larger, the number to upgrade in `rows`.

    The second number is a minimum if any scale set was refused, because its instances were not read.
    """
    every = sum(map(_to_upgrade, rows))
    least = "" if all(row["forecast"] or row["instances"] for row in rows) else "at least "
    return f"{number:,} of {least}{every:,}" if every > number else f"{number:,}"


def _affected_rows(plan: Json) -> list[Json]:
    """The rows of the scale sets in the change that roll out or are blocked."""
    blocked = blocked_names(plan)
    return [row for row in plan["scaleSets"] if row["name"] in blocked or plan_group.is_rolling(row)]


def _to_upgrade(row: Json) -> int:
    """How many instances of a scale set are upgraded, or would be if it were not blocked. 0 if unknown."""
    if row["forecast"]:
        return len({id_ for each in row["forecast"]["batches"] for id_ in each["instanceIds"]})
    found = row["instances"]
    return int(found["total"] - found["upToDate"]) if found else 0


def verdict(plan: Json) -> str:
    """A sentence that says whether every affected scale set reaches its image, or "" if none is affected."""
    summary = plan["summary"]
    found = _blocks(plan)
    effects = {each["blocks"]: len(_in_any(found, each["blocks"])) for each in found if each["scaleSets"]}
    parts = [
        f"{number:,} {_EFFECTS[effect]}{_behind(found) if effect == 'waits' else ''}"
        for effect, number in effects.items()
        if effect in _EFFECTS
    ]
    paused = "Nothing begins until the fleet is resumed. " if summary["paused"] else ""
    if parts:
        blocked = blocked_names(plan)
        rolling = {row["name"] for row in plan_group.rolling(plan)}
        size = f"{len(blocked):,} of {_scale_sets(len(blocked | rolling))}"
        verb = "does" if len(blocked) == 1 else "do"
        text = f"{size} {verb} not reach the image{' with this change' if plan['base'] else ''}"
        return f"{paused}{'Incomplete: ' if rolling else ''}{text}: {one_of(parts, last='and')}."
    if not summary["rollingOut"]:
        return paused.strip()
    if summary["rollingOut"] == 1:
        return f"{paused}The scale set reaches the image."
    return f"{paused}All {_scale_sets(summary['rollingOut'])} reach the image."


def _in_any(blocks: Sequence[Json], effect: str) -> set[str]:
    return {name for each in blocks if each["blocks"] == effect for name in each["scaleSets"]}


_EFFECTS = {
    "doesNotBegin": "blocked",
    "suspended": "suspended",
    "doesNotComplete": "begun without completing",
    "waits": "waiting",
}


def _behind(blocks: Sequence[Json]) -> str:
    """What scale sets wait for, referring to the causes that the sentence has already named."""
    causes = [each for each in blocks if each["blocks"] != "waits"]
    every = {name for each in causes for name in each["scaleSets"]}
    holding = {name for each in causes if each["holdsUp"] for name in each["scaleSets"]}
    if not holding:
        return " for others that never finish"
    if len(every) == 1:
        return " behind it"
    return f" behind {'these' if holding == every else f'{len(holding):,} of these'} {len(every):,}"


def timing(plan: Json) -> list[str]:
    """Sentences that say when the rollouts begin and end, and how many instances are unavailable at worst.

    Empty if nothing rolls out.
    """
    if not plan["summary"]["rollingOut"]:
        return []
    return [_when(plan), *_losses(plan)]


def _when(plan: Json) -> str:
    summary, at = plan["summary"], plan["at"]
    begins = summary["begins"]
    is_now = datetime.fromisoformat(begins) - datetime.fromisoformat(at) < _SOON
    now = forecast.date(begins if is_now else at)  # so that all times add up
    opening = f"If merged now ({now})" if plan.get("base") else f"As of {now}"
    begin = "at once" if is_now else f"on {forecast.moment(begins, at)}"
    if summary.get("paused"):
        begin = "once it is resumed"
    return f"{opening}, it begins {begin} and {_end(plan)}{_assuming(plan)}."


def _assuming(plan: Json) -> str:
    """The batch duration that the times assume, or "" if every duration was measured."""
    rolling = plan_group.rolling(plan)
    if not plan["summary"]["ends"] or all(row["forecast"]["isMeasured"] for row in rolling):
        return ""
    lengths = [row["forecast"]["assumedBatchSeconds"] for row in rolling]
    return f", assuming {forecast.length_range(lengths)} for each batch"


def _losses(plan: Json) -> list[str]:
    """The worst loss in any one scale set, and in all of them together."""
    summary = plan["summary"]
    if not (loss := summary["worstLoss"]):
        return []
    at = f" at {forecast.moment(loss['at'], plan['at'])}" if loss["at"] else ""
    text = f"At worst, {plan_group.share(loss)} unavailable in {loss['name']}{at}"
    worst = summary["worstMoment"]
    if summary["rollingOut"] < 2 or not worst:
        return [f"{text}."]
    return [
        f"{text}, and {plan_group.share(worst)} in these {_scale_sets(summary['rollingOut'])} "
        f"at {forecast.moment(worst['at'], plan['at'])}."
    ]


def waves(plan: Json) -> list[tuple[str, ...]]:
    """The cells for each wave, in the order of WAVE_HEADER. Empty if there is only one wave.

    A wave in which nothing begins has a row too. Otherwise, a reader would take the last row for the end of
    the rollout.
    """
    blocked, affected = blocked_names(plan), group_by(_affected_rows(plan), lambda row: int(row["wave"]))
    rolling = {each["wave"]: each for each in plan["waves"]}
    rows = {
        wave: _wave(plan, rolling[wave], found, blocked) if wave in rolling else _idle_wave(wave, found)
        for wave, found in {**dict.fromkeys(rolling, ()), **affected}.items()
    }
    return [rows[wave] for wave in sorted(rows)] if len(rows) > 1 and rolling else []


def _wave(plan: Json, wave: Json, found: Sequence[Json], blocked: Set[str]) -> tuple[str, ...]:
    ends, at = wave["ends"], plan["at"]
    pilot = " (pilot)" if is_piloted(plan, wave["wave"]) else ""
    verb = "stalls at " if any(row["name"] in blocked for row in found) else ""
    return (
        str(wave["wave"]),
        forecast.moment(wave["begins"], at),
        f"{verb}{forecast.moment(ends, at)}" if ends else "unknown",
        f"{wave['scaleSets']:,} of {max(len(found), wave['scaleSets']):,}",
        _share(wave["instances"], found),
        f"{wave['first']}{pilot}",
    )


def _idle_wave(number: int, found: Sequence[Json]) -> tuple[str, ...]:
    return str(number), "never", "", f"0 of {len(found):,}", _share(0, found), ""


WAVE_HEADER = ("Wave", "Begins", "Ends", "Scale sets", "Instances", "Begins with")


def blocked_names(plan: Json) -> set[str]:
    """The scale sets that the change affects but that do not reach its image.

    In a rehearsal, these are all scale sets that halt.
    """
    found = _blocks(plan) if "risks" in plan else plan["halts"]
    return {name for each in found for name in each["scaleSets"]}


def _blocks(plan: Json) -> list[Json]:
    """The risks that keep scale sets from being upgraded. A rehearsal has none."""
    return [each for each in plan.get("risks", ()) if each["blocks"]]


def blocks(plan: Json) -> list[str]:
    """One line for each block: first the causes, then the scale sets that only wait for others."""
    found, told = [], set[tuple[str, ...]]()
    for each in _blocks(plan):
        held = tuple(each["holdsUp"])
        found.append(_block(each, is_told=held in told))
        told.add(held)
    return found


def _block(block: Json, *, is_told: bool) -> str:
    """A block as a sentence. `is_told` means that an earlier block has named the same waiting scale sets."""
    names, effect = block["scaleSets"], block["blocks"]
    if not names:
        return str(block["message"])
    one = len(names) == 1
    some = list_names(names) if len(names) <= _FEW else f"{_scale_sets(len(names))} ({join(names)})"
    message = block["message"]
    if effect == "waits" and message.startswith(_WAITING):
        rest = "it begins by itself" if one else "they begin by themselves"
        text = f"{some} {_does(effect, one=one)} {message.removeprefix(_WAITING)}. Once all is fixed, {rest}"
        return f"{text}{_reason(block)}"
    text = f"{some} {_does(effect, one=one)}: {message}"
    if held := block["holdsUp"]:
        if _is_suspended(block["reason"]):
            text += f", or declare {'it' if one else 'them'} in a later `wave` and in no `dependsOn`"
        end = "" if text.endswith(".") else "."
        same, verb = "The same " if is_told else "", "waits" if len(held) == 1 else "wait"
        text += f"{end} {same}{_scale_sets(len(held))} {verb} for {'it' if one else 'them'}"
    return f"{text}{_reason(block)}"


def _does(effect: str, *, one: bool) -> str:
    return {
        "doesNotBegin": "is not upgraded" if one else "are not upgraded",
        "suspended": "is not upgraded" if one else "are not upgraded",
        "doesNotComplete": "begins, but does not complete" if one else "begin, but do not complete",
        "waits": "waits" if one else "wait",
    }.get(effect, effect)


def are_untouched(plan: Json) -> bool:
    """Whether nothing is written to any blocked scale set."""
    return not any(each["blocks"] in {"doesNotComplete", "paused"} for each in plan["risks"])


def risks(plan: Json) -> list[str]:
    """One line for each risk that is not a block, with the scale sets that it concerns."""
    return [
        f"{named_line(each['message'], each['scaleSets'])}{_reason(each)}"
        for each in plan["risks"]
        if not each["blocks"]
    ]


def _reason(risk: Json) -> str:
    return f" (`{risk['reason']}`)" if risk["reason"] else ""


def cut_names(plan: Json) -> list[tuple[str, Sequence[str]]]:
    """The blocks that name only some of their scale sets, each with a title and all of the names."""
    return [
        (
            f"All {_scale_sets(len(each['scaleSets']))} that {_does(each['blocks'], one=False)}",
            each["scaleSets"],
        )
        for each in _blocks(plan)
        if len(each["scaleSets"]) > _FEW
    ]


def base(plan: Json, shared_with: str = "") -> str:
    """The commit that the specs are compared with, or "" if they are compared only with Azure.

    If that commit is the merge base of HEAD and another revision, `shared_with` is that revision.
    """
    shared = f", the last one in common with {shared_with}" if shared_with else ""
    return f"Compared with commit {plan['base'][:10]}{shared}" if plan.get("base") else ""


def others(plan: Json) -> str:
    """Everything other than the rollouts of the change, in one line, or "" if there is nothing else.

    This covers scale sets that stay as they are, other rollouts, and changed settings of the Fleet.
    """
    summary, blocked = plan["summary"], blocked_names(plan)
    still = [row for row in plan["scaleSets"] if not row["forecast"] and row["name"] not in blocked]
    ready = sum(row["status"] == Status.READY for row in still)
    are = "is" if ready == 1 else "are"
    parts = [f"{_scale_sets(ready)} {are} as declared"] if ready else []
    if rest := len(still) - ready:
        parts.append(f"{_scale_sets(rest)} without an upgrade")
    if names := summary["otherRollouts"]:
        parts.append(f"{_scale_sets(len(names))} outside the change: {join(names)}")
    if summary["fleetChanged"]:
        parts.append("the settings of the Fleet change, for all scale sets")
    return "; ".join(parts)


def rows(plan: Json) -> list[tuple[str, str, str, str]]:
    """The cells under ROW_HEADER for each scale set, or for several alike, sorted by wave and time.

    For a scale set that is not upgraded, the row gives the reason, and `blocks` explains the reason.
    """
    rolling = plan_group.alone(plan)
    shown = rolling if len(rolling) <= _MOST_ROWS else plan_group.groups(plan)
    found = [
        (each.row["wave"], each.rows, "; ".join((*_course(each, plan), *plan_group.waits(each, plan["at"]))))
        for each in shown
    ]
    blocked = blocked_names(plan)
    still = [row for row in plan["scaleSets"] if not plan_group.is_rolling(row)]
    alike = group_by(still, lambda row: (row["wave"], _still(row, is_blocked=row["name"] in blocked)))
    found += [(wave, tuple(same), text) for (wave, text), same in alike.items()]
    return [
        (str(wave), join(row["name"] for row in same), share_of_all(map(_counts, same)), text)
        for wave, same, text in sorted(found, key=lambda each: each[0])
    ]


def _counts(row: Json) -> Json | None:
    """The instance counts of a scale set, or None if they are unknown.

    The step that sets the model reads no instances, but its forecast does. They are all behind if it upgrades
    them all.
    """
    found: Json | None = row["instances"]
    if found or not row["forecast"]:
        return found
    total = row["forecast"]["worstLoss"]["of"]
    return {"upToDate": 0, "total": total} if _to_upgrade(row) == total else None


def _course(group: Group, plan: Json) -> list[str]:
    each = "each " if len(group.names) > 1 else ""
    return [plan_group.times(group, plan["at"]), f"{each}{plan_group.batches(group, plan)}"]


def _still(row: Json, *, is_blocked: bool) -> str:
    """Why the change does not upgrade a scale set. If another section explains it, the reason is one word."""
    if row["forecast"]:
        return "outside the change"
    return f"not upgraded: {row['reason'] or 'not read'}" if is_blocked else why(row)


ROW_HEADER = ("Wave", "Scale set", "Up to date", "What happens")


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


def _end(plan: Json) -> str:
    summary, at = plan["summary"], plan["at"]
    if summary["unfinishedAt"]:
        return f"does not end by {forecast.moment(summary['unfinishedAt'], at)}"
    if not summary["ends"]:
        return f"does not complete{_last_batch(plan)}"
    length = forecast.between(summary["begins"], summary["ends"])
    verb = "gets no further after" if blocked_names(plan) else "ends about"
    return f"{verb} {forecast.moment(summary['ends'], at)} ({length})"


def _last_batch(plan: Json) -> str:
    starts = [each["at"] for row in plan_group.rolling(plan) for each in row["forecast"]["batches"]]
    return f": its last batch begins about {forecast.moment(max(starts), plan['at'])}" if starts else ""


def named_line(message: str, names: Sequence[str]) -> str:
    """A message with the names of its scale sets: before it if they are few, after it if they are many."""
    if not names:
        return message
    if len(names) <= _FEW:
        return f"{join(names)}: {message}"
    return f"{_scale_sets(len(names))}: {message} ({join(names)})"
