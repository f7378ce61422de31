"""A rehearsal as JSON: what `rehearse -o json` prints, and the source of its other formats.

The JSON has the fields of a plan (`prediction.report`). Its times were rehearsed, not forecast.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, zip_longest
from typing import Any

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.state import ScaleSetState
from reconciler.prediction import report
from reconciler.prediction.grouping import group_by
from reconciler.prediction.playback import Stretch
from reconciler.rehearsal.injection import Happening
from reconciler.rehearsal.rehearsal import Rehearsal
from reconciler.rollout.reason import Reason, Status
from reconciler.spec.image import short

Json = dict[str, Any]

_SHORTEST_WAIT = timedelta(minutes=2)  # a shorter wait is left out of the timeline


def rehearsal(shown: Rehearsal) -> Json:
    """The whole rehearsal. "scaleSets" lists every scale set as it was at the end, sorted by name."""
    found = report.rollouts(shown.plan)
    approvals = list(_approvals(shown))
    return {
        "at": shown.plan.forecast.at.isoformat(),
        "until": shown.until.isoformat(),
        "seed": shown.seed,
        "isAsDeclared": shown.is_as_declared,
        "stoppedAfter": shown.stopped_after or None,
        "faults": [{"fault": str(fault), "effect": effect} for fault, effect in shown.faults],
        "summary": found["summary"]
        | {
            "asDeclared": len(shown.states) - len(shown.not_as_declared),
            "halted": len(shown.not_as_declared),
        },
        "halts": list(_halts(shown.not_as_declared)),
        "approvals": approvals,
        "waves": found["waves"],
        "scaleSets": [
            row | _course(shown, state) for row, state in zip(found["scaleSets"], shown.states, strict=True)
        ],
    }


def _course(shown: Rehearsal, state: ScaleSetState) -> Json:
    """What happened to one scale set: whether it ended as declared, when it halted, and its timeline."""
    stretches = shown.stretches.get(state.key, ())
    happened = [each for each in shown.happened if each.key == state.key]
    return {
        "isAsDeclared": state not in shown.not_as_declared,
        "halts": [
            {
                "reason": str(each.first.reason),
                "at": _moment(each),
                "until": _moment(after) if after else None,
            }
            for each, after in _turns(stretches)
            if each.first.status.is_alarming
        ],
        "timeline": list(_timeline(stretches, happened)),
    }


def _turns(stretches: Sequence[Stretch]) -> Iterator[tuple[Stretch, Stretch | None]]:
    """The first stretch of each halt and of each time between halts, with the first of what follows.

    While Azure repairs the instances of a halted scale set, the reason changes and the halt continues.
    """
    firsts = [next(group) for _, group in groupby(stretches, lambda each: each.first.status.is_alarming)]
    return zip_longest(firsts, firsts[1:])


def _timeline(stretches: Sequence[Stretch], happened: Sequence[Happening]) -> Iterator[Json]:
    """The events that matter to a person, in order: steps, waits, halts, faults and the end."""
    entries = [
        (each.began, _kind(each, after), each.first.line)
        for each, after in zip_longest(stretches, stretches[1:])
        if _is_notable(each, after)
    ]
    entries += [(each.at, "fault", each.text) for each in happened]
    for at, kind, text in sorted(entries, key=lambda entry: entry[0]):
        yield {"at": at.isoformat(), "kind": kind, "text": text}


def _is_notable(stretch: Stretch, after: Stretch | None) -> bool:
    outcome = stretch.first
    if outcome.step or outcome.status.is_alarming or after is None:
        return True
    if outcome.reason is Reason.AWAITING_APPROVAL:
        return True
    is_wait = outcome.status is Status.WAITING or outcome.reason.meaning.is_pause
    return is_wait and after.began - stretch.began >= _SHORTEST_WAIT


def _kind(stretch: Stretch, after: Stretch | None) -> str:
    outcome = stretch.first
    if outcome.step:
        return "step"
    if outcome.status.is_alarming:
        return "halt"
    if outcome.reason is Reason.AWAITING_APPROVAL:
        return "approval"
    return "wait" if after else "end"


def _halts(halted: Sequence[ScaleSetState]) -> Iterator[Json]:
    """Why scale sets do not reach the declared state, and what a person has to do, grouped by reason.

    Reasons that need no alarm, such as a wait for another scale set, come last.
    """
    groups = group_by(halted, lambda each: each.outcome.reason if each.outcome else None)
    for reason, group in sorted(groups.items(), key=lambda found: not _is_alarming(found[1][0])):
        yield {
            "reason": str(reason) if reason else None,
            "status": str(group[0].outcome.status) if group[0].outcome else None,
            "message": _message([each.outcome for each in group if each.outcome]),
            "remedy": reason.meaning.remedy if reason else None,
            "scaleSets": [each.desired.name for each in group],
        }


def _is_alarming(state: ScaleSetState) -> bool:
    return state.outcome is not None and state.outcome.status.is_alarming


def _message(outcomes: Sequence[Outcome]) -> str:
    """The message that all scale sets share, or else the cause that their reason names."""
    if not outcomes:
        return "not reconciled"
    if len({each.line for each in outcomes}) == 1:
        return outcomes[0].line
    return f"{outcomes[0].reason}: {outcomes[0].reason.meaning.cause}"


def _approvals(shown: Rehearsal) -> Iterator[Json]:
    """The approvals that the rehearsal assumed to be given immediately."""
    for state in shown.states:
        for each in shown.stretches.get(state.key, ()):
            if each.first.reason is Reason.AWAITING_APPROVAL:
                yield {"scaleSet": state.desired.name, "image": short(state.exact), "at": _moment(each)}


def _moment(stretch: Stretch) -> str:
    return stretch.began.isoformat()
