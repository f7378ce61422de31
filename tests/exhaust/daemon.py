"""The daemon of a small world: the real decision, and the real functions that update the memory of a process.

`Memory` is that memory as a value. Its ages are in units, and equal beyond the last threshold. It leaves out what only
people read (history, conditions, forecast). All reads of an observation happen at one moment.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from reconciler.azure.failure import AzureFailure, Conflict, Unreachable
from reconciler.checks.client import Checks
from reconciler.daemon.advance import advance
from reconciler.daemon.event import InstancesRead, ModelRead, ReconcileBegan, ReconcileEnded
from reconciler.daemon.gates import evaluation
from reconciler.daemon.outcome import Outcome, outcome_of, outcome_of_failure
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import LastSeen, Published, ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.daemon.store import Store
from reconciler.rollout.age import Sighting, date_instances, sightings
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import (
    Availability,
    Model,
    Need,
    Observed,
    ReadTime,
    Verdict,
)
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Attempt, PatchModel, Step, Upgrade
from reconciler.rollout.wait import Wait
from reconciler.spec.scale_set import ScaleSet
from tests.build import NONE_RUNNING, NOW
from tests.exhaust.azure import (
    IMAGES,
    Azure,
    Persisted,
    listed_instance,
    listed_model,
    listed_operation,
    number_of,
    number_of_print,
    persisted,
    persisted_state,
)
from tests.exhaust.clock import age, ago, maybe_age, maybe_ago

_SETTINGS = Settings()
_NOW = ReadTime(NOW, NOW)
_NO_CHECKS = Checks(lambda: NOW, None)
_LONGEST_PATIENCE = 8  # units between two tries of a step
_LONGEST_WAIT = 7  # units after which a wait is Failing


class Spec(NamedTuple):
    """What is declared of a scale set."""

    image: int
    is_suspended: bool = False


class Tried(NamedTuple):
    """The last step that Azure accepted. `ids` is empty for a change of the model."""

    image: int
    ids: tuple[str, ...]
    kept: Persisted | None
    age: int
    has_operation: bool
    tries: int


class Sighted(NamedTuple):
    id: str
    provisioning: str
    since: int | None
    is_back: bool
    stands: int | None


class ReportedStatus(NamedTuple):
    """What gates of other scale sets depend on."""

    reason: Reason
    status: Status
    model: Azure | None = None  # without its instances
    counts: InstanceCounts | None = None
    last_reason: Reason | None = None
    holds_slot: bool | None = None
    blamed: int | None = None
    has_soaked: bool = False


class Memory(NamedTuple):
    decided: Spec | None = None
    passes: int = 0
    waiting: int | None = None
    back: int = 0
    is_under_way: bool | None = None
    tried: Tried | None = None
    wait: tuple[Reason, int, bool] | None = None
    taken: frozenset[str] = frozenset()
    not_serving: frozenset[str] = frozenset()
    relapses: int = 0
    most_healthy: int = 0
    seen: int | None = None
    was_under_way: bool | None = None
    wrote_last_good: int | None = None
    has_seen_all_steps: bool = False
    sighted: tuple[Sighted, ...] = ()
    status: ReportedStatus | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest ages that are kept: one unit beyond the last threshold."""

    at_rest: int
    waiting: int
    passes: int


class Hearing(Enum):
    """The answer to a step that the daemon receives."""

    ACCEPTED = auto()
    NOTHING = auto()  # Azure accepted it, and the answer was lost
    CONFLICT = auto()  # Azure refused it


@dataclass(frozen=True, slots=True)
class Reads:
    """What a daemon reads in one observation."""

    model: Azure
    machines: Azure
    operation: Azure
    says_updating: bool
    is_check_open: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of an observation, before its step is sent."""

    state: ScaleSetState
    decision: Decision | None
    observed: Observed | None
    failure: AzureFailure | None = None

    @property
    def step(self) -> Step | None:
        return self.decision.step if self.decision else None


def observe(state: ScaleSetState, others: tuple[ScaleSetState, ...], reads: Reads) -> Observation:
    """Read until there is a decision, as the daemon's observer does, with all reads at one moment."""
    store = Store(_states=ScaleSetStates.of((state, *others)))
    store.apply(state.key, ReconcileBegan())
    begun = store.get(state.key)
    assert begun
    observed = Observed(NOW, NOW, progress=begun.progress)
    try:
        while isinstance(verdict := decide(state.desired, observed), Need):
            observed = replace(_read(verdict, begun, observed, store, reads), last_need=verdict)
    except AzureFailure as failure:
        return Observation(_known(store, state), None, None, failure)
    return Observation(_known(store, state), verdict, observed)


def _known(store: Store, state: ScaleSetState) -> ScaleSetState:
    known = store.get(state.key)
    assert known
    return known


def _read(at: Need, state: ScaleSetState, observed: Observed, store: Store, reads: Reads) -> Observed:
    model = observed.model
    if at is Need.MODEL:
        model = listed_model(reads.model, state.desired.name, reads.says_updating)
        store.apply(state.key, ModelRead(model, _NOW.ended))
        return replace(observed, model=model, model_read=_NOW)
    assert isinstance(model, Model)
    match at:
        case Need.INSTANCES:
            listed = [listed_instance(each) for each in reads.machines.machines]
            source = model.health_source
            dated = date_instances(listed, state.seen.sightings, state.progress.attempt, source, NOW)
            store.apply(
                state.key, InstancesRead(NOW, sightings(dated, source, NOW), (), len(dated) >= model.capacity)
            )
            return replace(observed, instances=dated, instances_read=_NOW)
        case Need.ROLLING_UPGRADE:
            return replace(observed, rolling_upgrade=NONE_RUNNING, rolling_upgrade_read=_NOW)
        case Need.IMAGE:
            return replace(observed, availability=Availability(state.desired.image, Verdict.AVAILABLE))
        case Need.ROLLBACK_TARGET:
            good = model.persisted.last_good
            assert good
            return replace(observed, rollback_target=Availability(good, Verdict.AVAILABLE))
        case Need.OPERATION:
            return replace(observed, operation=listed_operation(reads.operation))
        case Need.AUTHORS | Need.HISTORY:
            return replace(observed, authors=(), was_declared=False)
        case Need.LASTING:
            return replace(observed, lasting=evaluation.evaluate_lasting(state.desired, observed, store))
        case Need.GATES:
            closed = (Gate("check", "it does not pass", Reason.CHECK_FAILED),)
            is_open = reads.is_check_open
            gates = (
                evaluation.evaluate_gates(state.desired, observed, store, _NO_CHECKS) if is_open else closed
            )
            return replace(observed, gates=gates)


def conclude(verdict: Observation, hearing: Hearing) -> tuple[ScaleSetState, Outcome]:
    """The state after an observation and the answer to its step, as in `Reconciler`."""
    state, decision, observed = verdict.state, verdict.decision, verdict.observed
    desired, commit, before = state.desired, state.commit, state.progress
    attempt, taken, may_have_begun, failure = before.attempt, None, False, verdict.failure
    if decision and decision.step:
        match hearing:
            case Hearing.ACCEPTED:
                taken = decision.step
                attempt = (
                    attempt.then(taken, NOW, "operation") if attempt else Attempt(taken, NOW, "operation")
                )
            case Hearing.NOTHING:
                failure, may_have_begun = Unreachable("no answer"), True
            case Hearing.CONFLICT:
                failure = Conflict("another writer was faster")
    elif attempt and observed and observed.operation and observed.operation.status == "Succeeded":
        attempt = replace(attempt, operation="")
    if failure:
        step = decision.message if decision else ""
        outcome = outcome_of_failure(
            desired.name, commit, failure, before, _SETTINGS, at=NOW, decision=decision, step=step
        )
    else:
        assert decision
        outcome = outcome_of(desired, commit, decision, before, _SETTINGS, at=NOW)
    ended = ReconcileEnded(
        desired=desired,
        commit=commit,
        outcome=outcome,
        attempt=attempt,
        taken=taken,
        may_have_begun=may_have_begun,
    )
    return advance(state, ended), outcome


# Conversion of the memory of a process to a value and back.


def recall(memory: Memory, desired: ScaleSet, decided: ScaleSet | None, row: Azure | None) -> ScaleSetState:
    """The state of a scale set in a daemon with this memory, after a sweep that listed this row."""
    status, wait = memory.status, memory.wait
    progress = Progress(
        passes=memory.passes,
        waiting_since=maybe_ago(memory.waiting),
        back=memory.back,
        is_under_way=memory.is_under_way,
        attempt=_attempt(memory.tried),
        last_reason=status.last_reason if status else None,
        holds_slot=status.holds_slot if status else None,
        wait=Wait(wait[0], ago(wait[1]), is_failing=wait[2]) if wait else None,
        taken=memory.taken,
        not_serving=memory.not_serving,
        relapses=memory.relapses,
        most_healthy=memory.most_healthy,
        seen_at=maybe_ago(memory.seen),
        was_under_way=memory.was_under_way,
        blamed=_print(status.blamed) if status else None,
        wrote_last_good=_print(memory.wrote_last_good),
        has_seen_all_steps=memory.has_seen_all_steps,
        has_soaked=status.has_soaked if status else False,
    )
    seen = {
        each.id: Sighting(each.provisioning, maybe_ago(each.since), each.is_back, maybe_ago(each.stands))
        for each in memory.sighted
    }
    outcome, model, counts = None, None, None
    listed = listed_model(row, desired.name, False) if row else None
    if status:
        outcome = Outcome(desired.name, "", NOW, status.reason, "", status.status)
        counts = status.counts
        model = listed_model(status.model, desired.name, False) if status.model else None
    return ScaleSetState(
        desired,
        "",
        counted_image=desired.image,
        seen=LastSeen(model=model, counts=counts, sightings=seen, listed=listed),
        progress=progress,
        published=Published(outcome=outcome, decided=decided),
    )


def remember(
    state: ScaleSetState, spec: Spec, limits: Limits, *, has_others: bool, keeps_wait: bool
) -> Memory:
    """The memory of a daemon in this state, with limited ages. How long it has waited changes only its messages, so
    that is kept only with `keeps_wait`."""
    progress = state.progress
    tried = _tried(progress.attempt, limits)
    asked, wait = (frozenset(tried.ids) if tried else frozenset()), progress.wait

    def at_rest(id_: str, at: int | None) -> int | None:
        return None if at is None else cut(id_, at, asked, tried.age if tried else 0, limits)

    return Memory(
        decided=spec,
        passes=min(progress.passes, limits.passes),
        waiting=_cut(progress.waiting_since, limits.waiting),
        back=progress.back,
        is_under_way=progress.is_under_way,
        tried=tried,
        wait=(wait.reason, min(age(wait.since), _LONGEST_WAIT), wait.is_failing)
        if wait and keeps_wait
        else None,
        taken=progress.taken,
        not_serving=progress.not_serving,
        relapses=min(progress.relapses, 3),
        most_healthy=progress.most_healthy,
        seen=_cut(progress.seen_at, limits.waiting),
        was_under_way=progress.was_under_way,
        wrote_last_good=number_of_print(progress.wrote_last_good),
        has_seen_all_steps=progress.has_seen_all_steps,
        sighted=tuple(
            Sighted(
                id_,
                each.provisioning,
                at_rest(id_, maybe_age(each.since)),
                each.is_back,
                at_rest(id_, maybe_age(each.state_since)),
            )
            for id_, each in sorted(state.seen.sightings.items())
        ),
        status=_status(state) if has_others else None,
    )


def cut(id_: str, units: int, asked: frozenset[str], since_asked: int, limits: Limits) -> int:
    """The limited age of an instance. It still shows whether the instance changed since our last step."""
    return min(units, max(limits.at_rest, since_asked) if id_ in asked else limits.at_rest)


def later(memory: Memory, limits: Limits) -> Memory:
    """The same, one unit later."""
    tried, wait = memory.tried, memory.wait
    return memory._replace(
        waiting=_older(memory.waiting, limits.waiting),
        seen=_older(memory.seen, limits.waiting),
        tried=tried._replace(age=min(tried.age + 1, _longest(tried.tries, limits))) if tried else None,
        wait=(wait[0], min(wait[1] + 1, _LONGEST_WAIT), wait[2]) if wait else None,
        sighted=tuple(
            each._replace(
                since=None if each.since is None else each.since + 1,
                stands=None if each.stands is None else each.stands + 1,
            )
            for each in memory.sighted
        ),
    )


def with_cut_sightings(memory: Memory, limits: Limits) -> Memory:
    tried = memory.tried
    asked, since = (frozenset(tried.ids), tried.age) if tried else (frozenset(), 0)

    def short(id_: str, units: int | None) -> int | None:
        return None if units is None else cut(id_, units, asked, since, limits)

    return memory._replace(
        sighted=tuple(
            each._replace(since=short(each.id, each.since), stands=short(each.id, each.stands))
            for each in memory.sighted
        )
    )


def _longest(tries: int, limits: Limits) -> int:
    patience: int = min(2 ** (tries - 1), _LONGEST_PATIENCE)
    return max(patience, limits.waiting, limits.at_rest)


def _older(units: int | None, most: int) -> int | None:
    return None if units is None else min(units + 1, most)


def _cut(at: datetime | None, most: int) -> int | None:
    return None if at is None else min(age(at), most)


def _print(image: int | None) -> Fingerprint | None:
    return None if image is None else Fingerprint.of(IMAGES[image])


def _attempt(tried: Tried | None) -> Attempt | None:
    if tried is None:
        return None
    image = IMAGES[tried.image]
    step: Step
    if tried.ids:
        step = Upgrade(tried.ids, image)
    else:
        step = PatchModel(image, "any", None if tried.kept is None else persisted_state(tried.kept))
    return Attempt(step, ago(tried.age), "operation" if tried.has_operation else "", tried.tries)


def _tried(attempt: Attempt | None, limits: Limits) -> Tried | None:
    if attempt is None:
        return None
    step, tries = attempt.step, min(attempt.tries, 4)
    kept = persisted(step.persisted) if isinstance(step, PatchModel) and step.persisted else None
    return Tried(
        number_of(step.image),
        attempt.instance_ids,
        kept,
        min(age(attempt.at), _longest(tries, limits)),
        bool(attempt.operation),
        tries,
    )


def _status(state: ScaleSetState) -> ReportedStatus:
    outcome, model, progress = state.outcome, state.seen.model, state.progress
    assert outcome
    return ReportedStatus(
        outcome.reason,
        outcome.status,
        Azure(number_of(model.image), (), persisted(model.persisted)) if model and model.image else None,
        state.seen.counts,
        progress.last_reason,
        progress.holds_slot,
        number_of_print(progress.blamed),
        progress.has_soaked,
    )
