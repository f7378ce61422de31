"""The work of the daemon, without its clockwork: a sweep over the fleet, and a tick of one scale set.

The loop runs these on threads and by the clock; `--once` and the stories of the tests call them directly.
A tick looks, decides, takes one step at most and returns; it never waits for Azure.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.azure.budget import Share
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure, Conflict, Unreachable
from reconciler.daemon.due import due, is_quiet, relied_on
from reconciler.daemon.event import Foreseen, GateChanged, Listed, ListFailed, TickBegan, Ticked, Weighed
from reconciler.daemon.gates.evaluation import awaited_gate, is_new_evidence
from reconciler.daemon.gates.max_change import weigh
from reconciler.daemon.listing import Listing, listing
from reconciler.daemon.observer import Observer
from reconciler.daemon.outcome import Outcome, outcome_of, outcome_of_bug, outcome_of_failure
from reconciler.daemon.prospect import foresee
from reconciler.daemon.revision import differs
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store, Sweep
from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Model, Observed
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.refusal import active_hold
from reconciler.rollout.step import Attempt, Step, TagWrite
from reconciler.spec.image import follows_latest, same
from reconciler.spec.precedence import levels
from reconciler.spec.scale_set import ScaleSet

_log = logging.getLogger("reconciler")

_PATIENCE = timedelta(minutes=1)  # for which a single pass waits where Azure asks to be left alone
_LEVELS = {
    Status.READY: logging.INFO,
    Status.RECONCILING: logging.INFO,
    Status.WAITING: logging.INFO,
    Status.SUSPENDED: logging.INFO,
    Status.FAILING: logging.WARNING,
    Status.STALLED: logging.WARNING,
}


class Reconciler:
    """Brings a fleet to its specs, one call of `sweep` or `tick` at a time.

    Ticks of different scale sets may run at once; the caller sees to it that two of the same one never do.
    """

    def __init__(
        self,
        specs: Specs,
        azure: Compute,
        settings: Settings,
        *,
        list_by_resource_group: bool = False,
        asks_checks: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = Store(requests=azure.requests)
        self._by_group = list_by_resource_group
        self._specs = specs
        self._azure = azure
        self._settings = settings
        self._now = azure.now
        self._sleep = sleep
        self._observer = Observer(azure, self.store, specs, asks_checks=asks_checks)

    def sweep(self) -> tuple[str, ...]:
        """Read the specs, list the fleet, and give the keys of the scale sets that are due for a tick.

        Whatever others wait for comes before them.
        """
        self._specs.refresh()
        gone = self.store.declare(self._specs.scale_sets, self._specs.commit, self._now())
        self._tell_commit()
        for name in gone:
            _log.info("%s: no spec names it any more; it is left as it is", name)
        at = self._now()
        listed = listing(self._azure, self._specs.scale_sets, by_group=self._by_group)
        sweep = Sweep(
            at,
            self._specs.commit,
            self._specs.subject,
            mistakes=self._specs.errors,
            lists={str(scope): listed.failures.get(scope) for scope in listed.scopes},
            by_group=self._by_group,
        )
        self._tell(sweep.errors)
        self.store.last_sweep = sweep
        self._weigh(listed)
        states = self.store.states()
        watched = relied_on(states)
        is_due = {
            state.key: self._attend(state, states, listed, at, is_watched=state.desired.name in watched)
            for state in states
        }
        attended = {state.key: state for state in self.store.states() if is_due[state.key]}
        in_order = (
            [attended[key] for each in level if (key := each.target.key) in attended]
            for level in levels([state.desired for state in states])
        )
        return tuple(state.key for level in in_order for state in sorted(level, key=is_quiet))

    def tick(self, key: str) -> Outcome | None:
        """Look at one scale set, decide, take one step at most. None if it is no longer declared.

        Whatever goes wrong becomes its outcome and touches no other scale set.
        """
        return self._attempt(key, act=True, share=Share.ROUTINE)

    def once(self, *, act: bool) -> Store:
        """Sweep, and tick every scale set that is due; without `act` only decide. Returns the store.

        Somebody waits for it, so that no look is a routine one. Azure lets us ask for a hundred or so at
        once; the others wait, as long as that is not for long.
        """
        due_now, idle = self.sweep(), timedelta()
        for level in levels(self._specs.scale_sets):
            keys = {each.target.key for each in level}
            idle = self._tick_all([key for key in due_now if key in keys], idle, act=act)
        # Who waited only because others were not looked at yet.
        seen: set[str] = set()
        while let_on := [key for key in self._let_on() if key not in seen]:
            seen.update(let_on)
            idle = self._tick_all(let_on, idle, act=act)
        return self.store

    def _tick_all(self, left: Sequence[str], idle: timedelta, *, act: bool) -> timedelta:
        """Tick these, in any order. Takes and returns for how long nothing could be asked."""
        while left:
            with ThreadPoolExecutor(self._settings.workers) as pool:
                outcomes = list(pool.map(lambda key: self._attempt(key, act=act, share=Share.ROLLOUT), left))
            throttled = {
                key: outcome.again or timedelta()
                for key, outcome in zip(left, outcomes, strict=True)
                if outcome and outcome.reason is Reason.THROTTLED
            }
            rest = max(throttled.values(), default=timedelta())
            idle = idle + rest if len(throttled) == len(left) else rest
            if not throttled or idle > _PATIENCE:
                break
            self._sleep(rest.total_seconds())
            left = tuple(throttled)
        return idle

    def _let_on(self) -> Iterator[str]:
        """The scale sets of which the gate that they wait for is open by now."""
        states, at = self.store.states(), self._now()
        return (state.key for state in states if self._is_let_on(state, states, at))

    def _is_let_on(self, state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> bool:
        """Whether the gate that it waits for is open by now; where it is not, its line says how it stands."""
        gate = awaited_gate(state, states, at)
        if gate is None or state.outcome is None:
            return False
        if gate.closed and is_new_evidence(state.outcome, gate):
            self.store.apply(state.key, GateChanged(state.outcome, gate))
        # Where another gate holds it by now, a tick says which.
        return gate.closed is not state.outcome.reason

    def _attempt(self, key: str, *, act: bool, share: Share) -> Outcome | None:
        """`share` is that of a look at what is settled."""
        state = self.store.apply(key, TickBegan())
        if state is None:
            return None
        name = state.desired.name
        try:
            ticked = self._tick(state, act, share)
        except Exception as error:
            _log.exception("%s: tick failed", name)
            ticked = _end_of_tick(
                state, outcome_of_bug(name, state.commit, self._now(), error), state.progress.attempt
            )
        after = self.store.apply(key, ticked)
        self._tell_change(state.outcome, after.outcome if after else None)
        return ticked.outcome

    def _tell_change(self, before: Outcome | None, now: Outcome | None) -> None:
        """Log what is new of a scale set; that nobody could look just now is not."""
        if now is None or (before and replace(before, as_of=None).line == replace(now, as_of=None).line):
            return
        # That Azure is at work was to be expected after our own step, and says nothing new.
        is_expected = now.reason is Reason.AZURE_BUSY and now.status is Status.RECONCILING
        _log.log(logging.DEBUG if is_expected else _LEVELS[now.status], "%s: %s", now.name, now.line)

    def _tick(self, state: ScaleSetState, act: bool, share: Share) -> Ticked:
        desired, commit, attempt = state.desired, state.commit, state.progress.attempt
        decision: Decision | None = None
        taken: Step | None = None
        tag_write: TagWrite | None = None
        try:
            if not active_hold(desired, self._now()) and _is_pressing(state):
                share = Share.ROLLOUT
            decision, observed = self._observer.decide(state, share)
            if attempt and observed.operation and observed.operation.error:
                attempt = replace(attempt, error=observed.operation.error)
            if act and decision.step:
                self._insist_on(desired)
                sent = self._now()
                operation = self._azure.take(desired.target, decision.step)
                taken = decision.step
                attempt = attempt.then(taken, sent, operation) if attempt else Attempt(taken, sent, operation)
            elif attempt and observed.operation and observed.operation.status == "Succeeded":
                attempt = replace(attempt, operation="", has_succeeded=True)  # it need not be asked for again
            if act and decision.to_persist:
                self._insist_on(desired)
                tag_write = self._persist(desired, observed, decision.to_persist)
            if tag_write and tag_write.refusal:
                decision = _decision_after(desired, observed, tag_write)
        except AzureFailure as failure:
            if held := active_hold(desired, self._now()):  # what is left alone does not fail for that
                outcome = outcome_of(desired, commit, held, state.progress, self._settings, at=self._now())
                return _end_of_tick(state, outcome, attempt)
            doing = decision.message if decision else ""
            outcome = outcome_of_failure(
                desired.name, commit, failure, state.progress, self._settings, at=self._now(), doing=doing
            )
            return replace(
                _end_of_tick(state, outcome, attempt),
                is_decided=decision is not None,
                may_have_begun=decision is not None and isinstance(failure, Unreachable),
            )
        outcome = outcome_of(desired, commit, decision, state.progress, self._settings, at=self._now())
        foreseen = self._foresee(state, outcome, observed)
        ended = _end_of_tick(state, outcome, attempt)
        return replace(ended, taken=taken, tag_write=tag_write, foreseen=foreseen)

    def _persist(self, desired: ScaleSet, observed: Observed, persisted: PersistedState) -> TagWrite:
        """Write it on the tags. Where Azure refuses, the rollout goes on, and its line stays."""
        assert isinstance(observed.model, Model), "what is persisted follows from the model"  # noqa: S101
        sent, refusal = self._now(), ""
        try:
            self._azure.persist(desired.target, observed.model, persisted)
        except AzureFailure as failure:
            refusal = str(failure)
        return TagWrite.after(observed.progress.tag_write, persisted.failed, sent, refusal)

    def _insist_on(self, desired: ScaleSet) -> None:
        """Raises Conflict where a sweep has meanwhile taken over a spec that says something else, or none."""
        latest = self.store.get(desired.target.key)
        if latest is None or differs(desired, latest.desired):
            raise Conflict("the spec has changed since the look; deciding anew")

    def _foresee(self, state: ScaleSetState, outcome: Outcome, observed: Observed) -> Foreseen:
        """What is to come. What goes wrong with that is no reason to lose a tick."""
        try:
            return foresee(state, outcome, observed, self._settings)
        except Exception:
            _log.exception("a bug in the reconciler, please report it: no forecast of %s", state.desired.name)
            return Foreseen(None, state.published.measured)

    def _weigh(self, listed: Listing) -> None:
        """Hold what the specs in force change against the cap on change."""
        states, at = self.store.states(), self._specs.in_force_since
        if at is None:
            return
        unlisted = frozenset(each.key for each in states if listed.failure(each.desired))
        for before, after in zip(states, weigh(states, listed.models, unlisted, at), strict=True):
            if after is not before and after.weighed is not None:
                self.store.apply(after.key, Weighed(after.weighed, after.change))

    def _attend(
        self,
        state: ScaleSetState,
        states: Sequence[ScaleSetState],
        listed: Listing,
        at: datetime,
        *,
        is_watched: bool,
    ) -> bool:
        """Whether this scale set is due, once what the sweep saw of it is in the store."""
        desired = state.desired
        failure, model = listed.failure(desired), listed.model(desired)
        if failure and not desired.suspend:
            self.store.apply(state.key, ListFailed(self._unlisted(state, failure, at)))
            return False
        is_due = due(state, model, at, is_let_on=is_watched or self._is_let_on(state, states, at))
        self.store.apply(state.key, Listed(model, at, is_settled=not is_due))
        return is_due

    def _unlisted(self, state: ScaleSetState, failure: AzureFailure, at: datetime) -> Outcome:
        return outcome_of_failure(
            state.desired.name, state.commit, failure, state.progress, self._settings, at=at
        )

    def _tell_commit(self) -> None:
        """Log once what specs are in force: the answer to "did it see my merge?"."""
        known = self.store.last_sweep
        since = self._specs.in_force_since
        if since is None or (
            known and (known.commit, known.subject) == (self._specs.commit, self._specs.subject)
        ):
            return
        number = len(self._specs.scale_sets)
        _log.info("%s in force: %d scale set%s", self._specs, number, "" if number == 1 else "s")

    def _tell(self, errors: tuple[str, ...]) -> None:
        """Log what is wrong outside any one scale set, once when it begins and once when it ends."""
        known = self.store.last_sweep.errors if self.store.last_sweep else ()
        for line in errors:
            if line not in known:
                _log.error("%s", line)
        if self._specs.errors and set(errors) - set(known) and self._specs.in_force_since:
            _log.error("%s stays in force", self._specs)
        if known and not errors:
            _log.info("the trouble with the specs or the list of scale sets is over")


def _end_of_tick(state: ScaleSetState, outcome: Outcome, attempt: Attempt | None) -> Ticked:
    return Ticked(desired=state.desired, commit=state.commit, outcome=outcome, attempt=attempt)


def _decision_after(desired: ScaleSet, observed: Observed, tag_write: TagWrite) -> Decision:
    """What is decided once a write of the tags was refused."""
    verdict = decide(desired, replace(observed, progress=replace(observed.progress, tag_write=tag_write)))
    assert isinstance(verdict, Decision), "nothing else is to be looked at for that"  # noqa: S101
    return verdict


def _is_pressing(state: ScaleSetState) -> bool:
    """Whether it is no routine look: a rollout is under way, or is to begin."""
    return _is_rolling(state) or _is_new(state) or _is_half_way(state)


def _is_rolling(state: ScaleSetState) -> bool:
    """Whether the last decision found it under way; a call that fails says nothing about that."""
    reason = state.progress.last_reason
    return reason is not None and reason.meaning.status is Status.RECONCILING


def _is_half_way(state: ScaleSetState) -> bool:
    """Whether a rollout waits for its gate in the middle."""
    is_waiting = state.outcome is not None and state.outcome.status is Status.WAITING
    return bool(state.progress.has_slot and is_waiting)


def _is_new(state: ScaleSetState) -> bool:
    """Whether a rollout is to begin: the spec says something else, or the model is on another image."""
    decided, listed, image = state.published.decided, state.seen.listed, state.desired.image
    if decided is not None and differs(decided, state.desired):
        return True
    if listed is None or listed.image is None or follows_latest(image):
        return False
    return not same(listed.image, image)
