"""The gates that a rollout must pass before it sets the model or upgrades serving instances.

They are evaluated before the model is set, because new instances run the model's image. Windows, approval and
the pause tag are evaluated here. Gates that depend on other scale sets or other systems (a cap, a dependency,
a check) are supplied as `Gate` values. Evaluating those gates can cost requests, so they are requested with
`Need.GATES` only once the gates here are open. `remedy` decides which steps pass a closed gate.
"""

from datetime import datetime

from reconciler.rollout.approval import objection
from reconciler.rollout.context import Aim, Context
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import BREAKER, Gate
from reconciler.rollout.observed import Need
from reconciler.rollout.pause import FleetPause
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.urgency import urgency_note, waiting_note
from reconciler.rollout.wording import moment
from reconciler.spec.image import short
from reconciler.spec.scale_set import Approval, ScaleSet
from reconciler.spec.window import opening


def closed_gate(
    aim: Aim, *, has_begun: bool, doing: str, counts: InstanceCounts | None
) -> Decision | Need | None:
    """The decision to wait because a gate blocks `doing`, a fact still needed, or None if all are open.

    `has_begun` says whether the first instances are healthy on the image. While a gate of this module is
    closed, other gates are evaluated only if they open at no set time and cost no request. `_first_closed`
    selects the closed gate to report.
    """
    approval = _approval(aim, has_begun=has_begun)
    if isinstance(approval, Need):
        return approval
    here = (*_pause_tag(aim.observed.fleet_pause), *_windows(aim.desired, aim.at), *approval)
    if any(gate.closed for gate in here):
        if aim.observed.lasting is None:
            return Need.LASTING
        return _first_closed((*here, *aim.observed.lasting), doing, counts)
    if aim.observed.gates is None:
        return Need.GATES
    return _first_closed((*here, *aim.observed.gates), doing, counts)


def closed_gate_for_remedy(aim: Aim, doing: str, counts: InstanceCounts | None) -> Decision | Need | None:
    """The decision to wait because approval or the breaker blocks a remedy, a fact still needed, or None.

    A remedy passes all other gates. Only the last good image needs no approval and passes the breaker.
    """
    if aim.model.persisted.is_last_good(aim.image):
        return None
    if aim.observed.lasting is None:
        return Need.LASTING
    breaker = tuple(gate for gate in aim.observed.lasting if gate.name == BREAKER)
    here = _approval(aim, has_begun=False)
    return here if isinstance(here, Need) else _first_closed((*here, *breaker), doing, counts)


def closed_gate_for_rollback(context: Context, doing: str) -> Decision | None:
    """The decision to wait because a window or an unread pause tag blocks a rollback, or None.

    No other gate can block a rollback.
    """
    here = (*_pause_tag(context.observed.fleet_pause), *_windows(context.desired, context.at))
    return _first_closed(here, doing, context.counts)


def closed_gate_message(gate: Gate, doing: str) -> str:
    """The message while this gate is closed. Leaves out the image if the evidence of the gate names it.

    `doing` is "the next batch", or "the rollout to IMAGE".
    """
    what, _, image = doing.partition(" to ")
    return f"{what if image and image in gate.evidence else doing} is waiting because {gate.evidence}"


def _pause_tag(pause: FleetPause) -> tuple[Gate, ...]:
    if pause.unread_since is None:
        return ()
    evidence = f"the pause tag has been unreadable since {moment(pause.unread_since)}"
    return (Gate("pause tag", evidence, Reason.PAUSE_UNREAD),)


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
    until = f"until {moment(found.until)}" if found.until else "for at least the next year"
    closed = (
        f'the window "{found.window}" blocks upgrades {until}' if found.window else f"no window opens {until}"
    )
    why = waiting_note(desired.fleet, at)
    return (Gate("windows", f"{closed}{why}", Reason.OUTSIDE_WINDOW, found.until),)


def _approval(aim: Aim, *, has_begun: bool) -> tuple[Gate, ...] | Need:
    asked, persisted = aim.rollout.approval, aim.model.persisted
    if asked is None:
        return ()
    image = short(aim.image)
    said = objection(aim.desired, persisted, aim.observed.authors)
    if isinstance(said, Need):
        return said
    if said is None:
        signature = persisted.signature_of(aim.image)
        return (Gate("approval", f"{image} was approved{f' {signature}' if signature else ''}"),)
    if asked is Approval.CANARY and not has_begun:
        return (Gate("approval", f"{image} needs approval once its canary is healthy"),)
    return (Gate("approval", said, Reason.AWAITING_APPROVAL),)


def _first_closed(gates: tuple[Gate, ...], doing: str, counts: InstanceCounts | None) -> Decision | None:
    """The decision for the gate that is expected to stay closed longest, or None if all gates are open.

    the breaker and a window are closed    the breaker: nothing begins when the window opens
    an approval and a window are closed    the approval: the window opens by itself
    """
    in_order = tuple(sorted(gates, key=_gate_order))
    for gate in in_order:
        if gate.closed:
            return Decision(
                gate.closed,
                closed_gate_message(gate, doing),
                until=gate.until,
                counts=counts,
                gates=in_order,
                doing=doing,
            )
    return None


def _gate_order(gate: Gate) -> tuple[bool, bool]:
    """The sort key of gates: first those that only a person can open, last those that open at a set time."""
    is_stalled = gate.closed is not None and gate.closed.meaning.status is Status.STALLED
    return not is_stalled, gate.until is not None
