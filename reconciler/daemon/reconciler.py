"""The work of the daemon without its schedule: a sweep of the fleet, and a reconcile of one scale set.

The loop runs both in threads, on a schedule. `--once` and the tests call them directly. A reconcile observes,
decides, takes at most one step and returns. It never waits for Azure to finish.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.failure import AzureFailure, Conflict, NotLeading, Refused, Unreachable
from reconciler.azure.request_counter import RequestIds
from reconciler.checks.reach import MERGED, Reach
from reconciler.daemon.claimed_step import end_under_claim
from reconciler.daemon.due import dependencies_to_watch, due, is_quiet
from reconciler.daemon.event import (
    ChangeCounted,
    Event,
    ForecastUpdate,
    GateChanged,
    Listed,
    ListFailed,
    PickEnded,
    PickMade,
    ReconcileBegan,
    ReconcileEnded,
)
from reconciler.daemon.forecast_refresh import refresh_forecast
from reconciler.daemon.gates.evaluation import awaited_gate, is_new_evidence
from reconciler.daemon.gates.max_change import count_changes
from reconciler.daemon.interfaces import AzureClient, DeclaredSpecs
from reconciler.daemon.leadership import Alone, Leadership
from reconciler.daemon.listing import Listing, listing
from reconciler.daemon.observer import Observer
from reconciler.daemon.orphan import Orphan
from reconciler.daemon.orphans import Orphans
from reconciler.daemon.outcome import Outcome, outcome_of, outcome_of_bug, outcome_of_failure
from reconciler.daemon.pause_reader import PauseReader
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import (
    PickOffer,
    PickRefused,
    completion_of_pick,
    describe_picked,
    expiry,
    offer_of,
)
from reconciler.daemon.revision import differs
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import PickEnd, ScaleSetState
from reconciler.daemon.store import Store, Sweep
from reconciler.daemon.sweep_lines import Line, commit_lines, orphan_lines, sweep_lines
from reconciler.rollout.barred import bar_note, has_barred_retry, without_barred_retry
from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import FRESH, Model, Observed
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.pick import Pick
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.refusal import active_hold
from reconciler.rollout.step import Attempt, PatchModel, Step, TagWrite
from reconciler.rollout.wording import describe_step
from reconciler.spec.image import Image, follows_latest, same
from reconciler.spec.precedence import levels
from reconciler.spec.scale_set import ScaleSet, pause_tag_of
from reconciler.spec.wording import printable

_log = logging.getLogger("reconciler")

_LONGEST_PAUSE = timedelta(minutes=1)  # that `once` waits in all while every request is throttled
_TELLS_THROTTLED = timedelta(minutes=5)  # how often the log names a scale set that is throttled
_LEVELS = {
    Status.READY: logging.INFO,
    Status.RECONCILING: logging.INFO,
    Status.WAITING: logging.INFO,
    Status.SUSPENDED: logging.INFO,
    Status.FAILING: logging.WARNING,
    Status.STALLED: logging.WARNING,
}


class Reconciler:
    """Brings a fleet into line with its specs, through calls to `sweep` and `reconcile`.

    Different scale sets may be reconciled at the same time. The caller must not reconcile one scale set twice
    at the same time. If `check_reach` is None, no check in a spec is run, and each counts as passed.
    """

    def __init__(
        self,
        specs: DeclaredSpecs,
        azure: AzureClient,
        settings: Settings,
        *,
        list_by_resource_group: bool = False,
        check_reach: Reach | None = MERGED,
        finds_orphans: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        log: logging.Logger = _log,
        forecasts: bool = True,
        leadership: Leadership | None = None,
        holder: str = "",
    ) -> None:
        """`forecasts` is whether to publish forecasts. `leadership` is None if there is no other replica.

        `holder` identifies this process's own claims, which do not keep it from acting.
        """
        self._leadership = leadership or Alone()
        self._term: int | None = self._leadership.term  # that of what the store knows, None: forget it
        self.store = Store(requests=azure.requests, leadership=self._leadership)
        self._by_group = list_by_resource_group
        self._specs = specs
        self._azure = azure
        self._settings = settings
        self._now = azure.now
        self._sleep = sleep
        self._log = log
        self._forecasts = forecasts
        self._orphans = Orphans(azure) if finds_orphans else None
        self._pause = PauseReader(azure)
        self._told_in = 0  # the term in which the fleet was paused by `tell_pause`, or that was lifted
        self._told_throttled: datetime | None = None
        self._observer = Observer(azure, self.store, specs, check_reach, holder)

    def sweep(self) -> tuple[str, ...]:
        """Read the specs and list the fleet. Returns the keys of the scale sets that are due for a reconcile.

        Dependencies come before the scale sets that wait for them. A standby returns no keys. A replica that
        begins to lead forgets what it knew, as after a restart, because another replica has acted since.
        """
        self._specs.refresh()
        term = self._leadership.term
        if term != self._told_in:
            self._pause.tell(None)
        stale_since = self._stale_since()
        fleet_pause = self._pause.read(pause_tag_of(self._specs.scale_sets))
        gone = self.store.declare(
            self._specs.in_force,
            self._now(),
            stale_since=stale_since,
            fleet_pause=fleet_pause,
            afresh=term != self._term,
        )
        self._term = term
        before = self.store.last_sweep
        self._log_lines(commit_lines(self._specs, before))
        shard = self._specs.shard
        for name in gone:
            what = f"no longer in shard {shard.name}" if shard else "spec removed"
            self._log.info("%s: %s; scale set left unchanged", name, what)
        at = self._now()
        listed = listing(self._azure, self._specs.scale_sets, by_group=self._by_group)
        sweep = Sweep(
            at,
            self._specs.commit,
            self._specs.subject,
            spec_errors=self._specs.errors,
            lists={str(scope): listed.failures.get(scope) for scope in listed.scopes},
            by_group=self._by_group,
            refused=self._specs.refused,
            warnings=self._specs.warnings,
            stale_since=stale_since,
            fleet_pause=fleet_pause,
            is_partial=self._specs.is_partial,
            source_read_at=self._source_read_at(),
            orphans=self._find_orphans(listed, at) if term else (),
            author=self._specs.author,
            shard=self._specs.shard,
            total=self._specs.total,
        )
        if term:
            self._log_lines(orphan_lines(sweep, before))
        self._log_lines(sweep_lines(sweep, before, self._specs))
        self.store.end_sweep(sweep)
        self._count_changes(listed)
        for each in self.store.states():
            self._end_pick(each, expiry(each, self._now()))
        states = self.store.states()
        if not term:
            self._record_list(states, listed, at)
            return ()
        watched, rows, due_keys = dependencies_to_watch(states), dict[str, Event](), set[str]()
        for state in states:
            row = self._row(state, states, listed, at, is_watched=state.desired.name in watched)
            rows[state.key] = row
            if isinstance(row, Listed) and not row.is_settled:
                due_keys.add(state.key)
        self.store.apply_each(rows)
        return self._in_order(due_keys)

    def _in_order(self, due_keys: Collection[str]) -> tuple[str, ...]:
        """The keys in order: dependencies first, and within each level the quiet scale sets last."""
        if not due_keys:
            return ()  # the levels need a pass over all specs
        states = self.store.states()
        due_states = {state.key: state for state in states if state.key in due_keys}
        by_level = (
            [due_states[key] for each in level if (key := each.target.key) in due_states]
            for level in levels([state.desired for state in states])
        )
        return tuple(state.key for level in by_level for state in sorted(level, key=is_quiet))

    def _stale_since(self) -> datetime | None:
        """When the source became unreadable, if that is longer ago than `source_max_age`, otherwise None.

        The first answer is kept, because it is part of the state of every scale set, and would otherwise
        differ by microseconds at each sweep.
        """
        unread_for, known = self._specs.unread_for, self.store.last_sweep
        if unread_for is None or unread_for <= self._settings.source_max_age:
            return None
        return (known.stale_since if known else None) or self._now() - unread_for

    def _source_read_at(self) -> datetime | None:
        """When the source was last read, or None if this process has never read it.

        While the source is unreadable, the first answer is kept, because Azure's clock is corrected
        meanwhile.
        """
        age, known = self._specs.read_age, self.store.last_sweep
        is_unread = self._specs.unread_for is not None
        kept = known.source_read_at if known and is_unread else None
        return kept or (None if age is None else self._now() - age)

    def reconcile(self, key: str) -> Outcome | None:
        """Observe one scale set, decide, and take at most one step.

        Returns None if the scale set is no longer declared, or if this replica does not lead. A failure
        becomes the outcome of this scale set and affects no other.
        """
        return self._reconcile_and_store(key, act=True, priority=Priority.ROUTINE)

    def observe(self, key: str) -> Outcome | None:
        """Like `reconcile`, but take no step."""
        return self._reconcile_and_store(key, act=False, priority=Priority.ROUTINE)

    def reconcile_picked(self, key: str) -> Outcome | None:
        """Like `reconcile`, but upgrade only picked instances, under our own claim.

        A step that the claim does not permit ends the pick instead.
        """
        return self._reconcile_and_store(key, act=True, priority=Priority.ROLLOUT, is_picked_only=True)

    def tell_pause(self, pause: Pause | None) -> None:
        """Pause the fleet immediately, or lift the pause that was ordered here if `pause` is None.

        The pause ends at the latest when this replica stops leading. The tag of the Fleet is read as before.
        """
        self._told_in = self._leadership.term
        self._pause.tell(pause)

    def lift_pause(self, shown: Collection[Pause]) -> Pause | None:
        """Lift the pause of `tell_pause` if it is one of `shown`. Returns the pause that stays, or None."""
        return self._pause.lift(shown)

    def pick(self, request: PickRequest) -> PickOffer:
        """Make the rollout upgrade these instances next, under all of its rules. Raises PickRefused.

        Nothing is picked in a trial, or if no upgrade would reach any of the instances.
        """
        state = self.store.states().by_name(request.name)
        if state is None:
            raise PickRefused(f"no spec in force is named {printable(request.name)}")
        offer, at = offer_of(state, request), self._now()
        if request.is_trial or not offer.ids:
            return offer
        pick = Pick(offer.ids, request.by, at, offer.request.place)
        if state.pick and state.pick.end is None:
            self._end_pick(state, PickEnd(at, "others were picked"))
        after = self.store.apply(state.key, PickMade(pick))
        self._log.info("%s: picked for the next upgrade: %s", request.name, describe_picked(pick))
        return replace(offer, state=after or state)

    def _end_pick(self, state: ScaleSetState, end: PickEnd | None) -> None:
        """End the pick of this scale set, unless `end` is None."""
        if state.pick is None or end is None:
            return
        self.store.apply(state.key, PickEnded(state.pick.pick, end))
        self._log.info(
            "%s: the pick has ended (%s): %s",
            state.desired.name,
            describe_picked(state.pick.pick),
            end.message,
        )

    def once(self, *, act: bool) -> Store:
        """Sweep, and reconcile every scale set that is due. Returns the store.

        If `act` is false, decide but take no step. All observations have the priority of a rollout, because a
        person is waiting for them. Azure allows about a hundred at a time. The others wait for the request
        budget, unless that takes longer than a minute.
        """
        due_now, idle = self.sweep(), timedelta()
        for level in levels(self._specs.scale_sets):
            keys = {each.target.key for each in level}
            idle = self._reconcile_all([key for key in due_now if key in keys], idle, act=act)
        # Scale sets that waited only because others were not observed yet.
        seen: set[str] = set()
        while unblocked := [key for key in self._unblocked_keys() if key not in seen]:
            seen.update(unblocked)
            idle = self._reconcile_all(unblocked, idle, act=act)
        return self.store

    def _reconcile_all(self, left: Sequence[str], idle: timedelta, *, act: bool) -> timedelta:
        """Reconcile these scale sets in any order. Returns the new value of `idle`.

        `idle` is how long every request has been throttled so far.
        """
        while left:
            with ThreadPoolExecutor(self._settings.workers) as pool:
                outcomes = list(
                    pool.map(
                        lambda key: self._reconcile_and_store(key, act=act, priority=Priority.ROLLOUT), left
                    )
                )
            throttled = {
                key: outcome.requeue_after or timedelta()
                for key, outcome in zip(left, outcomes, strict=True)
                if outcome and outcome.reason is Reason.THROTTLED
            }
            pause = max(throttled.values(), default=timedelta())
            idle = idle + pause if len(throttled) == len(left) else pause
            if not throttled or idle > _LONGEST_PAUSE:
                break
            self._sleep(pause.total_seconds())
            left = tuple(throttled)
        return idle

    def _unblocked_keys(self) -> Iterator[str]:
        """The keys of the scale sets whose gate has opened since they were last reconciled."""
        states, at = self.store.states(), self._now()
        return (state.key for state in states if self._is_unblocked(state, states, at))

    def _is_unblocked(self, state: ScaleSetState, states: Sequence[ScaleSetState], at: datetime) -> bool:
        """Whether the gate that the scale set waits for is no longer closed for the same reason.

        If the gate is still closed, the message of the scale set gets the current evidence.
        """
        gate = awaited_gate(state, states, at)
        if gate is None or state.outcome is None:
            return False
        if gate.closed and is_new_evidence(state.outcome, gate):
            self.store.apply(state.key, GateChanged(state.outcome, gate))
        # If another gate is closed by now, a reconcile finds out which.
        return gate.closed is not state.outcome.reason

    def _reconcile_and_store(
        self, key: str, *, act: bool, priority: Priority, is_picked_only: bool = False
    ) -> Outcome | None:
        """Reconcile one scale set, and store and log the outcome. `priority` is for a settled scale set."""
        term = self._leadership.term
        # Until the first sweep of a term, the store still holds what was known in an earlier one.
        state = self.store.apply(key, ReconcileBegan()) if term and term == self._term else None
        if state is None:
            self._forget_unless_leading(term)
            return None
        name = state.desired.name
        try:
            ended = self._reconcile(state, act, priority, term, is_picked_only=is_picked_only)
            ids = self._azure.requests.ids if ended.taken or ended.outcome.is_error else None
        except Exception as error:
            self._log.exception("%s: reconcile failed", name)
            ended = _reconcile_ended(
                state, outcome_of_bug(name, state.commit, self._now(), error), state.progress.attempt
            )
            ids = None
        if not self._forget_unless_leading(term):
            return None
        after = self.store.apply(key, ended)
        self._log_change(state.outcome, after.outcome if after else None, ids)
        if after:
            self._end_pick(after, completion_of_pick(after, ended.outcome) or ended.pick_end)
        return ended.outcome

    def _forget_unless_leading(self, term: int) -> bool:
        """Whether this replica still leads in this term. If not, the next sweep discards all known state."""
        still_leads = term != 0 and self._leadership.term == term
        if not still_leads:
            self._term = None
        return still_leads

    def _log_change(self, before: Outcome | None, now: Outcome | None, ids: RequestIds | None) -> None:
        """Log a new outcome, with the ids of its request.

        Throttling concerns many scale sets at once, so only one of them is named every few minutes. Apart
        from that, nothing is logged if only the throttling has changed, or how long it lasts.
        """
        if now is None:
            return
        level = _LEVELS[now.status]
        if self._tells_throttled(now):
            self._told_throttled = self._now()
        elif before and _says_the_same(before, now):
            return
        elif now.reason.meaning.is_routine and now.status is Status.RECONCILING:
            level = logging.DEBUG
        subject = {"scale_set": now.name, "status": now.status, "reason": now.reason, "commit": now.commit}
        if ids:
            subject |= {
                "client_request_id": ids.client,
                "azure_request_id": ids.request,
                "azure_correlation_id": ids.correlation,
            }
        self._log.log(level, "%s: %s", now.name, now.line, extra=subject)

    def _reconcile(
        self, state: ScaleSetState, act: bool, priority: Priority, term: int, *, is_picked_only: bool
    ) -> ReconcileEnded:
        desired, commit, attempt = state.desired, state.commit, state.progress.attempt
        observed: Observed | None = None
        decision: Decision | None = None
        step = ""
        taken: Step | None = None
        tag_write: TagWrite | None = None
        try:
            if not self._hold(state) and _takes_precedence(state):
                priority = Priority.ROLLOUT
            decision, observed = self._observer.decide(state, priority)
            pick_end = end_under_claim(state, observed, decision.step) if is_picked_only else None
            act = act and pick_end is None
            if attempt and observed.operation and observed.operation.error:
                attempt = replace(attempt, error=observed.operation.error)
            if act and (decision.step or decision.to_persist):
                decision = self._decision_before_write(state, decision, term)
            if act and decision.step:
                sent, step = self._now(), describe_step(decision.step, _model_image(observed))
                operation = self._azure.take(desired.target, decision.step, term=term)
                taken = decision.step
                attempt = attempt.then(taken, sent, operation) if attempt else Attempt(taken, sent, operation)
            elif attempt and observed.operation and observed.operation.status == "Succeeded":
                attempt = replace(attempt, operation="", has_succeeded=True)  # it need not be read again
            if act and decision.to_persist:
                tag_write = self._persist(desired, observed, decision.to_persist, term)
            if tag_write and tag_write.refusal:
                decision = _decision_after(desired, observed, tag_write)
        except AzureFailure as failure:
            if held := self._hold(state):  # on hold, a failed call is not a failure of the scale set
                outcome = outcome_of(desired, commit, held, state.progress, self._settings, at=self._now())
                return _reconcile_ended(state, outcome, attempt)
            tag_write = self._record_failed_image(desired, observed, decision, failure, term)
            outcome = outcome_of_failure(
                desired.name,
                commit,
                failure,
                state.progress,
                self._settings,
                at=self._now(),
                decision=decision,
                step=step,
            )
            return replace(
                _reconcile_ended(state, outcome, attempt),
                tag_write=tag_write,
                is_decided=decision is not None,
                may_have_begun=decision is not None and isinstance(failure, Unreachable),
            )
        shown = decision if taken else replace(decision, counts=decision.counts_without_step)
        outcome = outcome_of(desired, commit, shown, state.progress, self._settings, at=self._now())
        forecast_update = self._refresh_forecast(state, outcome, observed)
        ended = _reconcile_ended(state, outcome, attempt)
        return replace(
            ended, taken=taken, tag_write=tag_write, forecast_update=forecast_update, pick_end=pick_end
        )

    def _tells_throttled(self, outcome: Outcome) -> bool:
        """Whether this outcome is Throttled, and the log has named no such scale set for some minutes."""
        if outcome.reason is not Reason.THROTTLED:
            return False
        told = self._told_throttled
        return told is None or self._now() - told >= _TELLS_THROTTLED

    def _persist(
        self, desired: ScaleSet, observed: Observed, persisted: PersistedState, term: int
    ) -> TagWrite:
        """Write the state to the tags. A failure is part of the result, and does not fail the reconcile."""
        assert isinstance(observed.model, Model), "what is persisted follows from the model"  # noqa: S101
        sent, refusal = self._now(), ""
        try:
            self._azure.persist(desired.target, observed.model, persisted, term=term)
        except AzureFailure as failure:
            refusal = str(failure)
        return TagWrite.after(observed.progress.tag_write, persisted.failed, sent, refusal)

    def _record_failed_image(
        self,
        desired: ScaleSet,
        observed: Observed | None,
        decision: Decision | None,
        failure: AzureFailure,
        term: int,
    ) -> TagWrite | None:
        """After Azure refused the rollback of an image, record in the tags alone that the image failed.

        Otherwise a restart would forget the failure, and other scale sets could begin the image. A policy can
        refuse the image of the rollback and permit tags.
        """
        if (
            observed is None
            or decision is None
            or decision.blamed is None
            or not isinstance(failure, Refused)
        ):
            return None
        step, before = decision.step, observed.progress.tag_write
        if not isinstance(step, PatchModel) or step.persisted is None:
            return None
        if before and before.failed == step.persisted.failed and self._now() < before.next_at:
            return None
        return self._persist(desired, observed, step.persisted, term)

    def _hold(self, state: ScaleSetState) -> Decision | None:
        """The hold as of the last sweep and the last read, or None if there is none."""
        return active_hold(state.desired, state.fleet_pause, state.seen.listed_or_read, self._now())

    def _decision_before_write(self, state: ScaleSetState, decision: Decision, term: int) -> Decision:
        """The decision to act on: `decision`, or a hold if the fleet has been paused since the sweep.

        Raises Conflict if `decision` may be out of date, and NotLeading if another replica may have acted
        since the observation.
        """
        desired, began = state.desired, self._now()
        self._check_spec_unchanged(desired)
        pause = self._pause.read_before_write(desired.fleet.pause_tag)
        if held := active_hold(desired, pause, None, self._now()):
            return replace(held, counts=decision.counts_without_step)
        if pause.unread_since and not state.fleet_pause.unread_since:
            raise Conflict("the pause tag could not be read; the scale set will be checked again")
        if self._now() - began > FRESH:
            raise Conflict("reading the pause tag took too long; the scale set will be checked again")
        if self._leadership.term != term:
            raise NotLeading("another replica may have acted since the observation; nothing was sent")
        return decision

    def _check_spec_unchanged(self, desired: ScaleSet) -> None:
        """Raise Conflict if a sweep has changed or removed the spec since the reconcile began."""
        latest = self.store.get(desired.target.key)
        if latest is None or differs(desired, latest.desired):
            raise Conflict("the spec changed during the reconcile; the scale set will be checked again")

    def _refresh_forecast(self, state: ScaleSetState, outcome: Outcome, observed: Observed) -> ForecastUpdate:
        """The forecast. A bug in the forecast does not fail the reconcile."""
        if not self._forecasts:
            return ForecastUpdate(None, state.published.measured)
        try:
            return refresh_forecast(state, outcome, observed, self._settings)
        except Exception:
            self._log.exception(
                "the forecast of %s failed because of a bug in the reconciler; please report it",
                state.desired.name,
            )
            return ForecastUpdate(None, state.published.measured)

    def _count_changes(self, listed: Listing) -> None:
        """Count the changes that the active specs make, for `spec.maxChange`."""
        states, at = self.store.states(), self._specs.in_force_since
        if at is None:
            return
        unlisted = frozenset(each.key for each in states if listed.failure(each.desired))
        for before, after in zip(states, count_changes(states, listed.models, unlisted, at), strict=True):
            if after is not before and after.counted_image is not None:
                self.store.apply(after.key, ChangeCounted(after.counted_image, after.change))

    def _row(
        self,
        state: ScaleSetState,
        states: Sequence[ScaleSetState],
        listed: Listing,
        at: datetime,
        *,
        is_watched: bool,
    ) -> Listed | ListFailed:
        """The result of the list for this scale set. It is settled unless a reconcile is due."""
        desired = state.desired
        failure, model = listed.failure(desired), self._permitted(state, listed.model(desired))
        if failure and not desired.suspend:
            return ListFailed(self._list_failure_outcome(state, failure, at))
        is_due = due(state, model, at, is_unblocked=is_watched or self._is_unblocked(state, states, at))
        return Listed(model, at, is_settled=not is_due)

    def _permitted(self, state: ScaleSetState, model: Model | None) -> Model | None:
        """The listed model, without its retry if the Fleet bars retries.

        An ignored retry is logged once for each change of the model.
        """
        fleet = state.desired.fleet
        if model is None or not has_barred_retry(model, fleet):
            return model
        known = state.seen.listed
        if known is None or known.etag != model.etag:
            self._log.warning("%s: retry ignored: %s", state.desired.name, bar_note(fleet, "retry"))
        return without_barred_retry(model, fleet)

    def _record_list(self, states: Sequence[ScaleSetState], listed: Listing, at: datetime) -> None:
        """Store the listed models. A standby draws no conclusions from them."""
        self.store.apply_each(
            {
                state.key: Listed(listed.model(state.desired), at, is_settled=False)
                for state in states
                if not listed.failure(state.desired)
            }
        )

    def _list_failure_outcome(self, state: ScaleSetState, failure: AzureFailure, at: datetime) -> Outcome:
        """The outcome until the first reconcile. If an earlier list failed too, its wait continues."""
        before = replace(state.progress, wait=state.outcome.wait if state.outcome else None)
        return outcome_of_failure(state.desired.name, state.commit, failure, before, self._settings, at=at)

    def _find_orphans(self, listed: Listing, at: datetime) -> tuple[Orphan, ...]:
        """The orphans. A bug in the search does not fail the sweep."""
        if self._orphans is None:
            return ()
        try:
            return self._orphans.find(self._specs.scale_sets, listed, at, self._specs.elsewhere)
        except Exception:
            self._log.exception(
                "the search for orphans failed because of a bug in the reconciler; please report it"
            )
            return self.store.orphans

    def _log_lines(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._log.log(line.level, "%s", line.text)


def _reconcile_ended(state: ScaleSetState, outcome: Outcome, attempt: Attempt | None) -> ReconcileEnded:
    return ReconcileEnded(desired=state.desired, commit=state.commit, outcome=outcome, attempt=attempt)


def _model_image(observed: Observed) -> Image | None:
    return observed.model.image if isinstance(observed.model, Model) else None


def _decision_after(desired: ScaleSet, observed: Observed, tag_write: TagWrite) -> Decision:
    """The decision after Azure has refused to write the tags."""
    verdict = decide(desired, replace(observed, progress=replace(observed.progress, tag_write=tag_write)))
    assert isinstance(verdict, Decision), "a refused write needs no further fact"  # noqa: S101
    return verdict


def _says_the_same(before: Outcome, now: Outcome) -> bool:
    """Whether logging `now` would add nothing new."""
    if now.reason is Reason.THROTTLED:
        return (before.status, before.reason) == (now.status, now.reason)
    return replace(before, as_of=None).line == replace(now, as_of=None).line


def _takes_precedence(state: ScaleSetState) -> bool:
    """Whether a rollout is in progress or about to begin, so that the observation is not routine."""
    return _is_in_progress(state) or _is_new(state) or _is_half_way(state)


def _is_in_progress(state: ScaleSetState) -> bool:
    """Whether the last decision found a rollout in progress. A failed call does not change this."""
    reason = state.progress.last_reason
    return reason is not None and reason.meaning.status is Status.RECONCILING


def _is_half_way(state: ScaleSetState) -> bool:
    """Whether a rollout that has begun is waiting for a gate."""
    is_waiting = state.outcome is not None and state.outcome.status is Status.WAITING
    return bool(state.progress.has_slot and is_waiting)


def _is_new(state: ScaleSetState) -> bool:
    """Whether a rollout is about to begin: the spec has changed, or the model is on another image."""
    decided, listed, image = state.published.decided, state.seen.listed, state.desired.image
    if decided is not None and differs(decided, state.desired):
        return True
    if listed is None or listed.image is None or follows_latest(image):
        return False
    return not same(listed.image, image)
