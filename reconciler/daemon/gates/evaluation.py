"""The gates outside of one scale set: the cap on change, who goes first, breaker, checks, pilot, the cap on
rollouts.

Asked in this order, and no further than the first that is closed: a check costs a request, so it is put only
where all before it are open; the turn comes last, because it takes a place. What costs nothing is asked again
at every sweep for those that wait for it.
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
from reconciler.daemon.gates.max_change import is_weighed, max_change
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


def ask(desired: ScaleSet, observed: Observed, store: Store, checks: Checks) -> tuple[Gate, ...]:
    """The gates of one scale set as it was seen just now, and a place taken where all of them are open.

    Raises Conflict while a sweep is at taking over another commit.
    """
    key, towards = desired.target.key, exact_if_known(desired, observed)
    state = store.apply(key, ImageResolved(towards.image))
    if state is None or differs(desired, state.desired) or not is_weighed(state):
        raise Conflict("a commit is being taken over; deciding anew")
    found: list[Gate] = []
    for gate in _all(state, store, checks, observed.at, has_begun=_has_begun(towards, observed)):
        found.append(gate)
        if gate.closed:
            break
    return tuple(found)


def ask_lasting(desired: ScaleSet, observed: Observed, store: Store) -> tuple[Gate, ...]:
    """The gates that no time opens and that cost no request, of one scale set as it was seen just now."""
    exact = exact_if_known(desired, observed).image
    state = store.apply(desired.target.key, ImageResolved(exact))
    return _lasting(state, store.states(), observed.at) if state else ()


def awaited_gate(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate | None:
    """The gate that a scale set waits for, as it is now; None where it waits for none that costs nothing."""
    outcome = state.outcome
    if outcome is None or not is_weighed(state):
        return None
    match outcome.reason:
        case Reason.OUTSIDE_WINDOW:
            closed = _closed_gate(outcome)
            if lasting := _closed_lasting(state, states, at):
                return lasting
            is_over = closed is not None and closed.until is not None and closed.until <= at
            return Gate(closed.name, closed.evidence) if closed and is_over else closed
        case Reason.AWAITING_APPROVAL:
            return _closed_lasting(state, states, at)
        case Reason.TOO_MUCH_CHANGE | Reason.DEPENDENCY_NOT_READY:
            gates = _cheap(state, states, at)
        case Reason.IMAGE_FAILED_ELSEWHERE:  # all others may be passed, and closed
            gates = breaker(state, states, state.exact)
        case Reason.AWAITING_TURN | Reason.AWAITING_PILOT:
            gates = (*_cheap(state, states, at), _begin(state, states, at))
        case _:
            return None
    return next((each for each in gates if each.closed), Gate("", ""))


def is_new_evidence(outcome: Outcome, gate: Gate) -> bool:
    """Whether the gate that this outcome waits for is closed for the same reason, and rests on something
    else by now."""
    closed = _closed_gate(outcome)
    return closed is not None and closed.closed is gate.closed and closed != gate


def _all(
    state: ScaleSetState, store: Store, checks: Checks, at: datetime, *, has_begun: bool
) -> Iterator[Gate]:
    """Each only once it is asked for."""
    yield from _cheap(state, store.states(), at)
    yield from map(checks.gate, state.desired.rollout.checks)
    if not has_begun:
        yield store.acquire(state.key, partial(_begin, at=at))
    else:
        yield store.acquire(state.key, partial(concurrency, has_begun=has_begun))


def _begin(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate:
    """Whether a rollout may begin beside those that are under way: as pilot or after it, and with a slot."""
    gate = pilot(state, states, state.exact, at)
    return gate if gate.closed else concurrency(state, states)


def _has_begun(towards: ScaleSet, observed: Observed) -> bool:
    """Whether an instance is on the image, or may be on its way to it: a process that has just begun does not
    know what the one before it took."""
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
    """Those that stand until a person does something: they are told before a window and an approval."""
    held = max_change(state, states, at) if is_weighed(state) else ()
    return (*held, *breaker(state, states, state.exact))


def _closed_lasting(state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> Gate | None:
    return next((each for each in _lasting(state, states, at) if each.closed), None)


def _closed_gate(outcome: Outcome) -> Gate | None:
    return next((each for each in outcome.gates if each.closed), None)
