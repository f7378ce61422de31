"""The gates outside of one scale set: the cap on change, who goes first, checks, the cap on rollouts.

Asked in this order, and no further than the first that is closed: a check costs a request, so it is put only
where all before it are open; the turn comes last, because it takes a place. What costs nothing is asked again
at every sweep for those that wait for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from reconciler.azure.failure import Conflict
from reconciler.checks.door import Checks
from reconciler.daemon.change import change, is_counted
from reconciler.daemon.dependencies import dependencies, waves
from reconciler.daemon.due import differs
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.store import ScaleSetState, Store
from reconciler.daemon.turn import turn
from reconciler.rollout.gate import Gate
from reconciler.rollout.member import has_begun
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.preflight import exact_if_known
from reconciler.rollout.reason import Reason
from reconciler.spec.scale_set import ScaleSet


def asked(desired: ScaleSet, observed: Observed, store: Store, checks: Checks) -> tuple[Gate, ...]:
    """The gates of one scale set as it was seen just now, and a place taken where all of them are open.

    Raises Conflict while a sweep is at taking over another commit.
    """
    key, towards = desired.target.key, exact_if_known(desired, observed)
    store.update(key, exact=towards.image)
    state = store.get(key)
    if state is None or differs(desired, state.desired) or not is_counted(state):
        raise Conflict("a commit is being taken over; deciding anew")
    found: list[Gate] = []
    for gate in _all(state, store, checks, has_begun=_has_begun(towards, observed)):
        found.append(gate)
        if gate.closed:
            break
    return tuple(found)


def awaited(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate | None:
    """The gate that a scale set waits for, as it is now; None where it waits for none that costs nothing."""
    outcome = state.outcome
    if outcome is None or not is_counted(state):
        return None
    match outcome.reason:
        case Reason.OUTSIDE_WINDOW:
            closed = _closed(outcome)
            is_over = closed is not None and closed.until is not None and closed.until <= at
            return replace(closed, closed=None) if closed and is_over else closed
        case Reason.TOO_MUCH_CHANGE | Reason.DEPENDENCY_NOT_READY:
            gates = _cheap(state, states)
            return next((each for each in gates if each.closed), Gate("", ""))
        case Reason.AWAITING_TURN:
            return turn(state, states)
        case _:
            return None


def retold(outcome: Outcome, gate: Gate) -> Outcome:
    """The outcome with what its gate rests on now."""
    closed = _closed(outcome)
    if closed is None or closed.closed is not gate.closed or closed == gate:
        return outcome
    return replace(
        outcome,
        message=outcome.message.replace(closed.evidence, gate.evidence, 1),
        gates=tuple(gate if each is closed else each for each in outcome.gates),
    )


def _all(state: ScaleSetState, store: Store, checks: Checks, *, has_begun: bool) -> Iterator[Gate]:
    """Each only once it is asked for."""
    yield from _cheap(state, store.states())
    yield from map(checks.gate, state.desired.rollout.checks)
    yield store.claim(state.desired.target.key, partial(turn, has_begun=has_begun))


def _has_begun(towards: ScaleSet, observed: Observed) -> bool:
    model = observed.model
    return isinstance(model, Model) and has_begun(towards, model, observed.instances or ())


def _cheap(state: ScaleSetState, states: Sequence[ScaleSetState]) -> tuple[Gate, ...]:
    exact = state.exact or state.desired.image
    return (
        *change(state, states),
        *dependencies(state, states, exact),
        *waves(state, states, exact),
    )


def _closed(outcome: Outcome) -> Gate | None:
    return next((each for each in outcome.gates if each.closed), None)
