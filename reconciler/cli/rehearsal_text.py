"""A rehearsal in sentences, for the terminal and for a comment on a pull request.

A rehearsal and its scale sets have the shape of `reconciler.rehearsal.report`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.cli import forecast
from reconciler.cli.plan_text import named_line
from reconciler.rollout.reason import Status, meaning_of
from reconciler.rollout.wording import join
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_MOST_STEPS = 8  # in a row; more are folded


def halts(found: Json) -> list[str]:
    """Why scale sets do not reach the declared state, and what a person has to do."""
    lines = [named_line(_halt(each), each["scaleSets"]) for each in found["halts"]]
    if found["stoppedAfter"]:
        lines.append(f"the rehearsal stopped after {found['stoppedAfter']}, before the end")
    return lines


def _halt(halt: Json) -> str:
    """Why a group of scale sets halts, and what a person has to do.

    The message of a Stalled scale set already ends with the next step, but a message that several scale sets
    share does not.
    """
    meaning = meaning_of(halt["reason"] or "")
    if meaning is None:
        return str(halt["message"])
    is_complete = halt["status"] == Status.STALLED and halt["message"] != f"{halt['reason']}: {meaning.cause}"
    return str(halt["message"]) if is_complete else f"{halt['message']}; next step: {halt['remedy']}"


def faults(found: Json) -> str:
    """The faults and their effects in one line, or "" if there are none."""
    return "; ".join(f"{each['fault']}: {each['effect']}" for each in found["faults"])


def approvals(found: Json) -> str:
    """A line with the scale sets that were approved immediately, or "" if no approval was needed."""
    names = list(dict.fromkeys(each["scaleSet"] for each in found["approvals"]))
    return f"approvals given at once: {join(names)}" if names else ""


def summary(found: Json) -> str:
    """How many scale sets reached the declared state, and how much simulated time passed."""
    totals = found["summary"]
    reasons = Counter(
        each["reason"] or "not reconciled" for each in found["halts"] for _ in each["scaleSets"]
    )
    halted = ", ".join(f"{amount:,} {reason}" for reason, amount in sorted(reasons.items()))
    length = datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["at"])
    parts = [
        f"rehearsed {count(totals['total'], 'scale set')} for {format_duration(_whole_minutes(length))}",
        f"{totals['asDeclared']:,} as declared",
    ]
    return "; ".join([*parts, *([f"{totals['halted']:,} not: {halted}"] if halted else [])])


def section(plan: Json) -> tuple[str, list[str], str]:
    """The rehearsal of a plan: its summary, its halts, and its faults and approvals.

    Empty if the plan has no rehearsal.
    """
    found = plan.get("rehearsal")
    if not found:
        return "", [], ""
    return summary(found), halts(found), "; ".join(filter(None, (faults(found), approvals(found))))


def timeline(row: Json, observed_at: str) -> list[tuple[str, str]]:
    """The times and texts of the events, in order. A long run of steps is folded."""
    return [(forecast.moment(at, observed_at), text) for at, text in _fold_steps(row["timeline"])]


def _fold_steps(entries: Sequence[Json]) -> Iterator[tuple[str, str]]:
    steps: list[Json] = []
    for each in [*entries, None]:
        if each and each["kind"] == "step":
            steps.append(each)
            continue
        yield from _fold(steps)
        steps = []
        if each:
            yield each["at"], each["text"]


def _fold(steps: Sequence[Json]) -> Iterator[tuple[str, str]]:
    if len(steps) <= _MOST_STEPS:
        yield from ((each["at"], each["text"]) for each in steps)
        return
    first, second, *between, last = steps
    yield from ((each["at"], each["text"]) for each in (first, second))
    yield between[0]["at"], f"and {count(len(between), 'more step')}"
    yield last["at"], last["text"]


def _whole_minutes(length: timedelta) -> timedelta:
    return timedelta(minutes=-(-length // timedelta(minutes=1)))
