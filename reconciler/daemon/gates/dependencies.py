"""Which scale sets must be Ready first: those in `dependsOn`, and lower waves with the same image.

Each of them must be Ready with its current spec. Instances that are left out do not block, and neither does a
scale set that was Ready and whose last observation failed. At least one instance of a lower wave must have
proven the image.

A declaration that is newer than the last commit without errors also waits for those that are behind its
commit. In a wave these are the ones that may be to run the same image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.revision import differs
from reconciler.daemon.state import ScaleSetState, ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.urgency import urgency_note
from reconciler.rollout.wording import list_names
from reconciler.spec.image import (
    Image,
    follows_latest,
    is_related,
    is_version_of,
    order,
    same,
    short,
    version,
)


def dependencies(state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image) -> tuple[Gate, ...]:
    """The gate of `dependsOn`, if the spec has any.

    `exact` has the same meaning as in `waves`, and applies to dependencies that declare the same image.
    """
    names = state.desired.depends_on
    if not names:
        return ()
    known = ScaleSetStates.of(states).find_once(_by_name)
    missing = [f"scale set {name} is not declared" for name in names if name not in known]
    behind = [
        f"scale set {each.desired.name} {obstacle}"
        for each in _by_names(names, known)
        if (
            obstacle := _lateness(each, state.is_newer)
            or _obstacle(each)
            or (_lag(each, exact) if _is_same(each, state) else "")
        )
    ]
    if missing or behind:
        evidence = list_names([*behind, *missing])
        return (Gate("dependsOn", evidence, Reason.DEPENDENCY_NOT_READY),)
    return (Gate("dependsOn", f"{list_names(names)} {'is' if len(names) == 1 else 'are'} Ready"),)


def waves(
    state: ScaleSetState, states: Sequence[ScaleSetState], exact: Image, at: datetime
) -> tuple[Gate, ...]:
    """The gate of `wave`, if scale sets of lower waves declare the same image.

    `exact` is the version that this scale set would get. If the image follows latest, the others must be on
    that version or a later one: a Ready scale set may not have observed the new version yet.
    """
    desired = state.desired
    lower = ScaleSetStates.of(states).find_once(
        _lower_waves, desired.image, desired.wave, exact, is_newer=state.is_newer
    )
    if not lower.size:
        return ()
    if note := urgency_note(desired.fleet, exact, at):
        return (Gate("wave", f"passed; {note}"),)
    if behind := lower.behind:
        who = "lower waves are" if len(behind) == lower.size else _lower(len(behind), lower.size)
        evidence = f"{who} not Ready: {list_names(behind)}"
        return (Gate("wave", evidence, Reason.DEPENDENCY_NOT_READY),)
    all_ready = f"{_lower(lower.size, lower.size)} Ready"
    if not lower.is_proven and not desired.fleet.allow_unproven_wave:
        evidence = (
            "no instance in lower waves has proven the image; start an instance there, or set "
            "spec.allowUnprovenWave"
        )
        return (Gate("wave", evidence, Reason.DEPENDENCY_NOT_READY),)
    passed_over = f"; no instance runs it in {list_names(lower.empty)}" if lower.empty else ""
    return (Gate("wave", f"{all_ready}{passed_over}"),)


@dataclass(frozen=True, slots=True)
class _LowerWaves:
    """The scale sets of lower waves that declare one image.

    `behind` says why each of those that are not Ready is not. `empty` are the names of those where no
    instance runs the image. `is_proven`: an instance of one of them has proven it.
    """

    size: int
    behind: tuple[str, ...]
    empty: tuple[str, ...]
    is_proven: bool


def _lower_waves(
    states: ScaleSetStates, image: Image, wave: int, exact: Image, *, is_newer: bool
) -> _LowerWaves:
    lower = [
        each
        for each in states
        if each.desired.wave < wave
        and (same(each.desired.image, image) or (is_newer and _may_be_to_run(each, image)))
    ]
    behind = (
        f"{each.desired.name} {obstacle}"
        for each in lower
        if (obstacle := _lateness(each, is_newer) or _obstacle(each) or _lag(each, exact))
    )
    empty = (each.desired.name for each in lower if not _runs_it(each))
    return _LowerWaves(len(lower), tuple(behind), tuple(empty), any(map(_has_proven, lower)))


def _by_name(states: ScaleSetStates) -> Mapping[str, ScaleSetState]:
    return {each.desired.name: each for each in states}


def _is_same(state: ScaleSetState, other: ScaleSetState) -> bool:
    """Whether the two declare the same image."""
    return same(state.desired.image, other.desired.image)


def _lower(some: int, total: int) -> str:
    """
    >>> print(_lower(1, 1), _lower(3, 3), sep="; ")
    the only scale set in lower waves is; all 3 scale sets in lower waves are
    """
    if some == total:
        who = {1: "the only scale set", 2: "both scale sets"}.get(total, f"all {total} scale sets")
    else:
        who = f"{some} of {total} scale sets"
    return f"{who} in lower waves {'is' if some == 1 else 'are'}"


def _by_names(names: Sequence[str], known: Mapping[str, ScaleSetState]) -> list[ScaleSetState]:
    return [known[name] for name in names if name in known]


def _may_be_to_run(state: ScaleSetState, image: Image) -> bool:
    """Whether the commit with errors that it is behind may declare this image for it."""
    behind = state.behind
    if behind is None:
        return False
    return same(behind.image, image) if behind.image else is_related(state.desired.image, image)


def _lateness(state: ScaleSetState, is_newer: bool) -> str:
    """Why it is not what a newer commit declares, or "". Only declarations of that commit wait for it."""
    if not is_newer or state.behind is None:
        return ""
    return f"still follows an earlier commit, because {state.behind.refused.short} has errors"


def _obstacle(state: ScaleSetState) -> str:
    """Why the scale sets that depend on this one must wait, or "". A failed observation changes nothing."""
    outcome = state.outcome
    if outcome is None:
        return "has not been checked yet"
    decided = state.published.decided
    if decided is not None and differs(decided, state.desired):
        return "has not been checked since its spec changed"
    reason = state.progress.last_reason if outcome.is_error else outcome.reason
    status = reason.meaning.status if reason and outcome.is_error else outcome.status
    is_unknown = outcome.is_error and _has_drifted(state)
    if decided is not None and reason and status is Status.READY and not is_unknown:
        return ""
    fix = "; resume or remove it" if outcome.reason.meaning.is_hold else ""
    why = "" if str(outcome.reason) == str(outcome.status) else f" ({outcome.reason})"
    return f"is {outcome.status}{why}{fix}"


def _has_drifted(state: ScaleSetState) -> bool:
    """Whether its model is on a different image than the declared one.

    That it was Ready before then proves nothing, for example if Azure refuses the image.
    """
    model, declared = state.seen.listed_or_read, state.desired.image
    if model is None or model.image is None:
        return False
    return not same(model.image, declared) and not is_version_of(model.image, declared)


def _has_proven(state: ScaleSetState) -> bool:
    """Whether an instance runs its image and serves, or did so before the scale set was scaled to zero."""
    return _runs_it(state) or state.progress.has_soaked


def _runs_it(state: ScaleSetState) -> bool:
    """Whether an instance runs its image and serves."""
    return state.seen.counts is not None and state.seen.counts.back > 0


def _lag(state: ScaleSetState, exact: Image) -> str:
    """How far its version is behind the one that latest now resolves to, in words, or ""."""
    if not follows_latest(state.desired.image):
        return ""
    current = state.seen.model.image if state.seen.model else None
    if current is None or not is_version_of(current, state.desired.image):
        return f"may not be on {short(exact)}"
    return "" if order(version(current)) >= order(version(exact)) else f"is still on {short(current)}"
