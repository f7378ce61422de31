"""May it? What is asked before working instances are taken down, or the model is set for those to come.

Windows and approval are known here; what other scale sets and the world say (a cap, a dependency, a check)
comes from outside as `Gate` values, asked for with `Look.GATES` once those here are open, because it may
cost something. What is sick anyway passes no gate: a gate never bars its own cure.
"""

from collections.abc import Sequence
from datetime import datetime

from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.member import Member
from reconciler.rollout.observed import Look, Model
from reconciler.rollout.reason import Reason
from reconciler.rollout.wording import moment
from reconciler.spec.image import same, short
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


def window_barrier(context: Context, doing: str) -> Decision | None:
    """The same of a rollout that goes back to the last good image: it waits for its window and for nothing
    else."""
    return _first_closed(_windows(context.desired, context.at), doing, context.counts)


def held_message(gate: Gate, doing: str) -> str:
    """What is said while this gate is closed."""
    return f"{gate.evidence}; until then not {doing}"


def is_cure(desired: ScaleSet, model: Model, staying: Sequence[Member]) -> bool:
    """Whether setting the model mends a rollout that went wrong, and so waits for no gate.

    That is so while instances are sick that run the image which was given up, or the one which is being left
    while others do not run it, or that failed on their way to it; or while more are sick than
    `maxUnhealthy`. `staying` as seen towards the desired image.
    """
    lost = [each for each in staying if each.is_lost]
    if len(lost) > desired.rollout.max_unhealthy.of(len(staying)):
        return True
    sick = [each.instance.image for each in lost if each.instance.image]
    if model.persisted.failed and any(map(model.persisted.failed.is_of, sick)):
        return True
    leaving = model.image
    if leaving and any(_fails_on_its_way(each) and not each.instance.runs(leaving) for each in lost):
        return True
    if leaving is None or not any(same(image, leaving) for image in sick):
        return False
    running = [each.instance.image for each in staying if each.instance.image]
    return any(not same(image, leaving) for image in running)


def _fails_on_its_way(member: Member) -> bool:
    """Whether an upgrade to the model has not succeeded, and shows as that."""
    return not member.instance.latest_model and (member.is_stuck or member.instance.provisioning == "failed")


def _windows(desired: ScaleSet, at: datetime) -> tuple[Gate, ...]:
    windows = (*desired.fleet.windows, *desired.rollout.windows)
    if not windows:
        return ()
    found = opening(windows, at)
    if found.is_open:
        by = f" ({found.window})" if found.window else ""
        return (Gate("windows", f"open until {moment(found.until)}{by}" if found.until else f"open{by}"),)
    closed = f"the window {found.window} is in force" if found.window else "no window is open"
    onward = f"open again at {moment(found.until)}" if found.until else "none opens within a year"
    return (Gate("windows", f"{closed}, {onward}", Reason.OUTSIDE_WINDOW, found.until),)


def _approval(desired: ScaleSet, model: Model, *, has_begun: bool) -> tuple[Gate, ...]:
    asked = desired.rollout.approval
    if asked is None:
        return ()
    image = short(desired.image)
    if model.persisted.is_approved(desired.image):
        return (Gate("approval", f"{image} is approved"),)
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
