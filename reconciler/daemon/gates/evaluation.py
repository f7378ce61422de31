"""The gates that depend on other scale sets or on external checks.

Their order is max change, dependencies, waves, breaker, checks, source, pilot, concurrency. Evaluation stops
at the first closed gate. A check costs a request, so it runs only if all gates before it are open.
Concurrency comes last, because this gate acquires a slot if it is open. Every sweep reevaluates the gates of
waiting scale sets, except for the checks.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from reconciler.azure.failure import Conflict
from reconciler.checks.client import Checks
from reconciler.daemon.event import ImageResolved
from reconciler.daemon.gates.concurrency import concurrency
from reconciler.daemon.gates.dependencies import dependencies, waves
from reconciler.daemon.gates.fleet import breaker, pilot
from reconciler.daemon.gates.max_change import is_change_counted, max_change
from reconciler.daemon.gates.source import source
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import differs
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.gate import Gate
from reconciler.rollout.health import is_in_transition
from reconciler.rollout.member import has_begun
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.preflight import exact_if_known
from reconciler.rollout.reason import Reason
from reconciler.spec.image import same
from reconciler.spec.scale_set import ScaleSet


def evaluate_gates(desired: ScaleSet, observed: Observed, store: Store, checks: Checks) -> tuple[Gate, ...]:
    """Evaluate the gates of a scale set that was just observed. If all are open, acquire a slot.

    Raises Conflict while a sweep is applying another commit.
    """
    key, towards = desired.target.key, exact_if_known(desired, observed)
    state = store.apply(key, ImageResolved(towards.image))
    if state is None or differs(desired, state.desired) or not is_change_counted(state):
        raise Conflict("a new commit is being applied; the scale set will be checked again")
    found: list[Gate] = []
    for gate in _all(state, store, checks, observed.at, has_begun=_has_begun(towards, observed)):
        found.append(gate)
        if gate.closed:
            break
    return tuple(found)


def evaluate_lasting(desired: ScaleSet, observed: Observed, store: Store) -> tuple[Gate, ...]:
    """Evaluate the gates that cost no request and that time alone does not open."""
    exact = exact_if_known(desired, observed).image
    state = store.apply(desired.target.key, ImageResolved(exact))
    return _lasting(state, store.states(), observed.at) if state else ()


def awaited_gate(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate | None:
    """The gate that a scale set waits for, evaluated now.

    It is None if the scale set waits for no gate, or for a gate that costs a request.
    """
    outcome = state.outcome
    if outcome is None or not is_change_counted(state):
        return None
    match outcome.reason:
        case Reason.OUTSIDE_WINDOW:
            closed = _closed_gate(outcome)
            if lasting := _closed_lasting(state, states, at):
                return lasting
            is_over = closed is not None and closed.until is not None and closed.until <= at
            return Gate(closed.name, closed.evidence) if closed and is_over else closed
        case Reason.PAUSE_UNREAD:
            closed = _closed_gate(outcome)
            return closed if state.fleet_pause.unread_since else Gate("", "")
        case Reason.AWAITING_APPROVAL:
            return _closed_lasting(state, states, at)
        case Reason.TOO_MUCH_CHANGE | Reason.DEPENDENCY_NOT_READY:
            gates = _cheap(state, states, at)
        case Reason.IMAGE_FAILED_ELSEWHERE:  # the others may be closed, and passed
            gates = breaker(state, states, state.exact)
        case Reason.SOURCE_STALE | Reason.AWAITING_TURN | Reason.AWAITING_PILOT:
            gates = (*_cheap(state, states, at), _begin(state, states, at))
        case _:
            return None
    return next((each for each in gates if each.closed), Gate("", ""))


def is_new_evidence(outcome: Outcome, gate: Gate) -> bool:
    """Whether the gate that this outcome waits for is still closed, but with different evidence."""
    closed = _closed_gate(outcome)
    return closed is not None and closed.closed is gate.closed and closed != gate


def _all(
    state: ScaleSetState, store: Store, checks: Checks, at: datetime, *, has_begun: bool
) -> Iterator[Gate]:
    """Yield the gates in order. Each gate is evaluated only when the caller asks for it."""
    yield from _cheap(state, store.states(), at)
    yield from map(checks.gate, state.desired.rollout.checks)
    if not has_begun:
        yield store.acquire(state.key, partial(_begin, at=at))
    else:
        yield store.acquire(state.key, partial(concurrency, has_begun=has_begun))


def _begin(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate:
    """The source gate or the pilot gate, whichever is closed, or else the concurrency gate."""
    for stale in source(state):
        if stale.closed:
            return stale
    gate = pilot(state, states, state.exact, at)
    return gate if gate.closed else concurrency(state, states)


def _has_begun(towards: ScaleSet, observed: Observed) -> bool:
    """Whether an instance is on the image, or may be on its way to it.

    A new process does not know which step the previous process took.
    """
    model, instances = observed.model, observed.instances or ()
    if not isinstance(model, Model) or model.image is None:
        return False
    is_on_its_way = same(model.image, towards.image) and any(
        is_in_transition(each.provisioning) for each in instances
    )
    return is_on_its_way or has_begun(towards, model, instances)


def _cheap(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> tuple[Gate, ...]:
    return (
        *max_change(state, states, at),
        *dependencies(state, states, state.exact),
        *waves(state, states, state.exact, at),
        *breaker(state, states, state.exact),
    )


def _lasting(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> tuple[Gate, ...]:
    """The gates that stay closed until a person acts. They are reported before windows and approval."""
    held = max_change(state, states, at) if is_change_counted(state) else ()
    return (*held, *breaker(state, states, state.exact))


def _closed_lasting(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate | None:
    return next((each for each in _lasting(state, states, at) if each.closed), None)


def _closed_gate(outcome: Outcome) -> Gate | None:
    return next((each for each in outcome.gates if each.closed), None)
