"""Who goes first: the scale sets that one depends on, and those of lower waves with the same image.

All of them must be Ready, for what is declared of them now, before this one goes on; what is left out of one,
or cannot be looked at just now, holds nobody up. At least one instance of a lower wave must have proven the
image.
"""

from collections.abc import Sequence
from datetime import datetime

from reconciler.daemon.revision import differs
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.urgency import urgency_note
from reconciler.rollout.wording import join
from reconciler.spec.image import Image, follows_latest, is_version_of, order, same, short, version


def dependencies(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image) -> tuple[Gate, ...]:
    """The gate of `dependsOn`, where it names anybody; `exact` as in `waves`, for those of the same image."""
    names = state.desired.depends_on
    if not names:
        return ()
    known = {each.desired.name: each for each in states}
    missing = [f"no scale set named {name} is declared" for name in names if name not in known]
    behind = [
        f"{each.desired.name} {said}"
        for each in _by_names(names, known)
        if (said := _obstacle(each) or (_lag(each, exact) if _is_same(each, state) else ""))
    ]
    if missing or behind:
        evidence = join([*behind, *missing])
        return (Gate("dependsOn", evidence, Reason.DEPENDENCY_NOT_READY),)
    return (Gate("dependsOn", f"{join(names)} {'is' if len(names) == 1 else 'are'} Ready"),)


def waves(
    state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image, at: datetime
) -> tuple[Gate, ...]:
    """The gate of `wave`, where scale sets of lower ones are to run the same image.

    `exact` is what that comes to for this one. Where it follows latest the others must be on that version,
    or on a later one: being Ready, they may not have seen yet that there is one.
    """
    desired = state.desired
    lower = [each for each in states if each.desired.wave < desired.wave and _is_same(each, state)]
    if not lower:
        return ()
    if note := urgency_note(desired.fleet, exact, at):
        return (Gate("wave", f"passed; {note}"),)
    behind = [
        f"{each.desired.name} {said}" for each in lower if (said := _obstacle(each) or _lag(each, exact))
    ]
    if behind:
        return (Gate("wave", f"{_of(behind, lower)} not Ready: {join(behind)}", Reason.DEPENDENCY_NOT_READY),)
    empty = [each.desired.name for each in lower if not _runs_it(each)]
    passed_over = f"; without an instance on it: {join(empty)}" if empty else ""
    if not any(map(_has_proven, lower)) and not desired.fleet.allow_unproven_wave:
        evidence = (
            f"{_of(lower, lower)} Ready, and none has an instance that has proven the image: let one run, or "
            "set spec.allowUnprovenWave of the Fleet"
        )
        return (Gate("wave", evidence, Reason.DEPENDENCY_NOT_READY),)
    return (Gate("wave", f"{_of(lower, lower)} Ready{passed_over}"),)


def _is_same(state: ScaleSetState, other: ScaleSetState) -> bool:
    """Whether the two declare the same image."""
    return same(state.desired.image, other.desired.image)


def _of(some: Sequence[object], states: Sequence[ScaleSetState]) -> str:
    return f"{len(some)} of {len(states)} scale sets of lower waves {'is' if len(some) == 1 else 'are'}"


def _by_names(names: Sequence[str], known: dict[str, ScaleSetState]) -> list[ScaleSetState]:
    return [known[name] for name in names if name in known]


def _obstacle(state: ScaleSetState) -> str:
    """Why others may not go on yet, or "". A look that failed says nothing new of it."""
    outcome = state.outcome
    if outcome is None:
        return "was not looked at yet"
    decided = state.published.decided
    if decided is not None and differs(decided, state.desired):
        return "was not looked at since its spec changed"
    reason = state.progress.last_reason if outcome.is_error else outcome.reason
    status = reason.meaning.status if reason and outcome.is_error else outcome.status
    if decided is not None and reason and status is Status.READY:
        return ""
    braked = "; resume it, or take it out" if outcome.reason.meaning.is_brake else ""
    return f"is {outcome.status}: {outcome.reason}{braked}"


def _has_proven(state: ScaleSetState) -> bool:
    """Whether an instance of it runs its image and serves, or did before it was scaled to zero."""
    return _runs_it(state) or state.progress.has_soaked


def _runs_it(state: ScaleSetState) -> bool:
    """Whether an instance of it runs its image and serves."""
    return state.seen.counts is not None and state.seen.counts.back > 0


def _lag(state: ScaleSetState, exact: Image) -> str:
    """Which version it is on, where that is not the one that latest means by now; or ""."""
    if not follows_latest(state.desired.image):
        return ""
    current = state.seen.model.image if state.seen.model else None
    if current is None or not is_version_of(current, state.desired.image):
        return f"is not known to be on {short(exact)}"
    return "" if order(version(current)) >= order(version(exact)) else f"is on {short(current)} still"
