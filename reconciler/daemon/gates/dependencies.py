"""Who goes first: the scale sets that one depends on, and those of lower waves with the same image.

All of them must be Ready, for what is declared of them now, before this one goes on; what is left out of one,
or cannot be looked at just now, holds nobody up. At least one instance of a lower wave must have proven the
image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.revision import differs
from reconciler.daemon.state import ScaleSetState, ScaleSetStates
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
    known = ScaleSetStates.of(states).found(_by_name)
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
    lower = ScaleSetStates.of(states).found(_lower_waves, desired.image, desired.wave, exact)
    if not lower.size:
        return ()
    if note := urgency_note(desired.fleet, exact, at):
        return (Gate("wave", f"passed; {note}"),)
    if behind := lower.behind:
        said = f"{_of(len(behind), lower.size)} not Ready: {join(behind)}"
        return (Gate("wave", said, Reason.DEPENDENCY_NOT_READY),)
    all_ready = f"{_of(lower.size, lower.size)} Ready"
    if not lower.is_proven and not desired.fleet.allow_unproven_wave:
        evidence = (
            f"{all_ready}, and none has an instance that has proven the image: let one run, or set "
            "spec.allowUnprovenWave of the Fleet"
        )
        return (Gate("wave", evidence, Reason.DEPENDENCY_NOT_READY),)
    passed_over = f"; without an instance on it: {join(lower.empty)}" if lower.empty else ""
    return (Gate("wave", f"{all_ready}{passed_over}"),)


@dataclass(frozen=True, slots=True)
class _LowerWaves:
    """Those of lower waves that are to run one image: how many there are, what is in the way of which of
    them, the names of those without an instance on it, and whether any has proven it."""

    size: int
    behind: tuple[str, ...]
    empty: tuple[str, ...]
    is_proven: bool


def _lower_waves(states: ScaleSetStates, image: Image, wave: int, exact: Image) -> _LowerWaves:
    lower = [each for each in states if each.desired.wave < wave and same(each.desired.image, image)]
    behind = (
        f"{each.desired.name} {said}" for each in lower if (said := _obstacle(each) or _lag(each, exact))
    )
    empty = (each.desired.name for each in lower if not _runs_it(each))
    return _LowerWaves(len(lower), tuple(behind), tuple(empty), any(map(_has_proven, lower)))


def _by_name(states: ScaleSetStates) -> Mapping[str, ScaleSetState]:
    return {each.desired.name: each for each in states}


def _is_same(state: ScaleSetState, other: ScaleSetState) -> bool:
    """Whether the two declare the same image."""
    return same(state.desired.image, other.desired.image)


def _of(some: int, all_: int) -> str:
    return f"{some} of {all_} scale sets of lower waves {'is' if some == 1 else 'are'}"


def _by_names(names: Sequence[str], known: Mapping[str, ScaleSetState]) -> list[ScaleSetState]:
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
    is_untold = outcome.is_error and _has_drifted(state)
    if decided is not None and reason and status is Status.READY and not is_untold:
        return ""
    advice = "; resume it, or take it out" if outcome.reason.meaning.is_hold else ""
    return f"is {outcome.status}: {outcome.reason}{advice}"


def _has_drifted(state: ScaleSetState) -> bool:
    """Whether its model is on another image than the declared one: that it was Ready before says nothing
    then, as where Azure refuses the image."""
    model, declared = state.seen.listed_or_read, state.desired.image
    if model is None or model.image is None:
        return False
    return not same(model.image, declared) and not is_version_of(model.image, declared)


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
