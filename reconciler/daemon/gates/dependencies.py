"""Decides which scale sets must be Ready first: dependencies, and earlier waves with the same image.

Each of them must be Ready with its current spec. Instances that the rollout leaves out do not block. Neither
does a scale set that was Ready before its last observation failed. At least one instance in an earlier wave
must have proven the image.

A new declaration from a commit with errors also waits for the scale sets that the errors keep on an earlier
commit. Because of its wave, it waits for such a scale set only if the scale set declares the same image, or
may do so in the newer commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.daemon.revision import differs
from reconciler.daemon.some import Some
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.states import ScaleSetStates
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
    """The `dependsOn` gate, or () if the spec names no dependencies.

    `exact` has the same meaning as in `waves`. It matters only for dependencies that declare the same image.
    """
    names = state.desired.depends_on
    if not names:
        return ()
    together = ScaleSetStates.of(states)
    known = [each for name in names if (each := together.by_name(name))]
    missing = [f"scale set {name} is not declared" for name in names if together.by_name(name) is None]
    behind = [
        f"scale set {each.desired.name} {obstacle}"
        for each in known
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
    """The `wave` gate, or () if no scale set in an earlier wave declares the same image.

    `exact` is the version that this scale set would get. If the image follows latest, earlier waves must be
    on that version or a later one, because a Ready scale set may not have observed the new version yet.
    """
    desired = state.desired
    earlier = ScaleSetStates.of(states).total(
        _EarlierWaves(), _earlier_waves, desired.image, desired.wave, exact, state.is_newer
    )
    if not earlier.size:
        return ()
    if note := urgency_note(desired.fleet, exact, at):
        return (Gate("wave", f"passed; {note}"),)
    if behind := earlier.behind:
        who = "earlier waves are" if behind.size == earlier.size else _earlier(behind.size, earlier.size)
        evidence = f"{who} not Ready: {list_names(behind.first, behind.size)}"
        return (Gate("wave", evidence, Reason.DEPENDENCY_NOT_READY),)
    all_ready = f"{_earlier(earlier.size, earlier.size)} Ready"
    if not earlier.is_proven and not desired.fleet.allow_unproven_wave:
        evidence = (
            "no instance in earlier waves has proven the image; start an instance there, or set "
            "spec.allowUnprovenWave"
        )
        return (Gate("wave", evidence, Reason.DEPENDENCY_NOT_READY),)
    empty = earlier.empty
    passed_over = f"; no instance runs the image in {list_names(empty.first, empty.size)}" if empty else ""
    return (Gate("wave", f"{all_ready}{passed_over}"),)


@dataclass(frozen=True, slots=True)
class _EarlierWaves:
    """The scale sets in earlier waves that declare one image.

    `behind` says which of them block, and why. `empty` names those in which no instance runs the image.
    `is_proven` means that an instance in any of them has proven the image.
    """

    size: int = 0
    behind: Some[str] = field(default_factory=Some)
    empty: Some[str] = field(default_factory=Some)
    is_proven: bool = False

    def __add__(self, other: "_EarlierWaves") -> "_EarlierWaves":
        if not self.size or not other.size:
            return self if self.size else other
        return _EarlierWaves(
            self.size + other.size,
            self.behind + other.behind,
            self.empty + other.empty,
            self.is_proven or other.is_proven,
        )


def _earlier_waves(
    state: ScaleSetState, image: Image, wave: int, exact: Image, is_newer: bool
) -> _EarlierWaves:
    """The contribution of one scale set, if it is in an earlier wave and declares the image."""
    if state.desired.wave >= wave:
        return _EarlierWaves()
    if not same(state.desired.image, image) and not (is_newer and _may_be_to_run(state, image)):
        return _EarlierWaves()
    name, obstacle = state.desired.name, _lateness(state, is_newer) or _obstacle(state) or _lag(state, exact)
    return _EarlierWaves(
        1,
        Some.one_if(obstacle, f"{name} {obstacle}"),
        Some.one_if(not _runs_it(state), name),
        _has_proven(state),
    )


def _is_same(state: ScaleSetState, other: ScaleSetState) -> bool:
    """Whether both scale sets declare the same image."""
    return same(state.desired.image, other.desired.image)


def _earlier(some: int, total: int) -> str:
    """
    >>> print(_earlier(1, 1), _earlier(3, 3), sep="; ")
    the only scale set in earlier waves is; all 3 scale sets in earlier waves are
    """
    if some == total:
        who = {1: "the only scale set", 2: "both scale sets"}.get(total, f"all {total} scale sets")
    else:
        who = f"{some} of {total} scale sets"
    return f"{who} in earlier waves {'is' if some == 1 else 'are'}"


def _may_be_to_run(state: ScaleSetState, image: Image) -> bool:
    """Whether the scale set is behind a commit with errors that may declare this image for it."""
    behind = state.behind
    if behind is None:
        return False
    return same(behind.image, image) if behind.image else is_related(state.desired.image, image)


def _lateness(state: ScaleSetState, is_newer: bool) -> str:
    """Why a newer declaration must wait for this scale set to catch up, or "" if it need not.

    `is_newer` says whether the waiting declaration comes from the newer commit. Other declarations do not
    wait.
    """
    if not is_newer or state.behind is None:
        return ""
    return f"is still on an earlier commit ({state.behind.refused.short} has errors)"


def _obstacle(state: ScaleSetState) -> str:
    """Why the scale sets that depend on this one must wait, or "" if they need not.

    If the last observation failed, the last decision counts, unless the model has drifted. If a step failed,
    there is something left to do.
    """
    outcome = state.outcome
    if outcome is None:
        return "has not been checked yet"
    decided = state.published.decided
    if decided is not None and differs(decided, state.desired):
        return "has not been checked since its spec changed"
    reason = state.progress.last_reason if outcome.is_error else outcome.reason
    status = reason.meaning.status if reason and outcome.is_error else outcome.status
    is_step = state.published.known_at == outcome.at  # an observation that fails makes nothing known
    is_unknown = outcome.is_error and (is_step or _has_drifted(state))
    if decided is not None and reason and status is Status.READY and not is_unknown:
        return ""
    why = [] if str(outcome.reason) == str(outcome.status) else [str(outcome.reason)]
    fix = ["resume or remove it"] if outcome.reason.meaning.hold else []
    note = "; ".join((*why, *fix))
    return f"is {outcome.status}{f' ({note})' if note else ''}"


def _has_drifted(state: ScaleSetState) -> bool:
    """Whether the model is on an image other than the declared one.

    An earlier Ready status then proves nothing, for example if Azure refuses the image.
    """
    model, declared = state.seen.listed_or_read, state.desired.image
    if model is None or model.image is None:
        return False
    return not same(model.image, declared) and not is_version_of(model.image, declared)


def _has_proven(state: ScaleSetState) -> bool:
    """Whether a serving instance runs the image, or did before the scale set was scaled to zero."""
    return _runs_it(state) or state.progress.has_soaked


def _runs_it(state: ScaleSetState) -> bool:
    """Whether a serving instance runs the declared image."""
    return state.seen.counts is not None and state.seen.counts.back > 0


def _lag(state: ScaleSetState, exact: Image) -> str:
    """How far the scale set is behind the version that `latest` now resolves to, as a clause, or ""."""
    if not follows_latest(state.desired.image):
        return ""
    current = state.seen.model.image if state.seen.model else None
    if current is None or not is_version_of(current, state.desired.image):
        return f"may not be on {short(exact)} yet"
    return "" if order(version(current)) >= order(version(exact)) else f"is still on {short(current)}"
