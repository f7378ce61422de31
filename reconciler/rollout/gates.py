"""May it? What is asked before working instances are taken down, or the model is set for those to come.

Windows and approval are known here; what other scale sets and the world say (a cap, a dependency, a check)
comes from outside as `Gate` values, asked for with `Look.GATES` once those here are open, because it may
cost something. What passes them all the same is for `remedy` to say.
"""

from datetime import datetime

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Look, Model
from reconciler.rollout.reason import Reason
from reconciler.rollout.urgency import urgency_note, waiting_note
from reconciler.rollout.wording import moment
from reconciler.spec.image import short
from reconciler.spec.scale_set import Approval, ScaleSet
from reconciler.spec.window import opening


def barrier(
    aim: Aim, *, has_begun: bool, doing: str, counts: InstanceCounts | None
) -> Decision | Look | None:
    """Why what `doing` says may not be done now, or None; or that the gates outside are to be asked.

    `has_begun`: the first instances are on the image and back.
    """
    here = (*_windows(aim.desired, aim.at), *_approval(aim.desired, aim.model, has_begun=has_begun))
    if any(gate.closed for gate in here):
        return _first_closed(here, doing, counts)
    if aim.observed.gates is None:
        return Look.GATES
    return _first_closed((*here, *aim.observed.gates), doing, counts)


def remedy_barrier(aim: Aim, doing: str, counts: InstanceCounts | None) -> Decision | Look | None:
    """Why what passes all other gates may not be done now, or None; or that the breaker is to be asked.

    Nothing passes the approval of its image, nor its breaker; the last good image needs neither.
    """
    if aim.model.persisted.is_last_good(aim.image):
        return None
    here = _approval(aim.desired, aim.model, has_begun=False)
    if any(gate.closed for gate in here):
        return _first_closed(here, doing, counts)
    if aim.observed.breaker is None:
        return Look.BREAKER
    return _first_closed((*here, *aim.observed.breaker), doing, counts)


def window_barrier(context: Context, doing: str) -> Decision | None:
    """The same of a rollout that goes back to the last good image: it waits for its window and for nothing
    else."""
    return _first_closed(_windows(context.desired, context.at), doing, context.counts)


def held_message(gate: Gate, doing: str) -> str:
    """What is said while this gate is closed."""
    return f"{gate.evidence}; until then not {doing}"


def _windows(desired: ScaleSet, at: datetime) -> tuple[Gate, ...]:
    windows = (*desired.fleet.windows, *desired.rollout.windows)
    if not windows:
        return ()
    if note := urgency_note(desired.fleet, desired.image, at):
        return (Gate("windows", f"passed; {note}"),)
    found = opening(windows, at)
    if found.is_open:
        by = f" ({found.window})" if found.window else ""
        return (Gate("windows", f"open until {moment(found.until)}{by}" if found.until else f"open{by}"),)
    closed = f"the window {found.window} is in force" if found.window else "no window is open"
    onward = f"open again at {moment(found.until)}" if found.until else "none opens within a year"
    why = waiting_note(desired.fleet, at)
    return (Gate("windows", f"{closed}, {onward}{why}", Reason.OUTSIDE_WINDOW, found.until),)


def _approval(desired: ScaleSet, model: Model, *, has_begun: bool) -> tuple[Gate, ...]:
    asked = desired.rollout.approval
    if asked is None:
        return ()
    image = short(desired.image)
    if model.persisted.is_approved(desired.image):
        signature = model.persisted.signature_of(desired.image)
        return (Gate("approval", f"{image} is approved{f' {signature}' if signature else ''}"),)
    if asked is Approval.CANARY and not has_begun:
        return (Gate("approval", f"{image} is to be approved once its canary is back"),)
    mend = f"run `reconciler approve {desired.name}`"
    return (Gate("approval", f"{image} is not approved yet; {mend}", Reason.AWAITING_APPROVAL),)


def _first_closed(gates: tuple[Gate, ...], doing: str, counts: InstanceCounts | None) -> Decision | None:
    for gate in gates:
        if gate.closed:
            return Decision(
                gate.closed,
                held_message(gate, doing),
                until=gate.until,
                counts=counts,
                gates=gates,
                doing=doing,
            )
    return None
