"""Observes one scale set. Each fact is read only when the decision asks for it."""

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.failure import AzureFailure, TooManyRequests
from reconciler.checks.client import Checks
from reconciler.checks.reach import Reach
from reconciler.daemon.event import InstancesRead, ModelRead
from reconciler.daemon.gates import evaluation
from reconciler.daemon.image_watch import ImageWatch
from reconciler.daemon.interfaces import AzureClient, DeclaredHistory
from reconciler.daemon.picking import pick_in_force
from reconciler.daemon.seen_instance import seen_instances
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.age import date_instances, sightings
from reconciler.rollout.barred import without_barred_retry
from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.notes import notes
from reconciler.rollout.observed import FRESH, Availability, Model, Need, Observed, Operation, ReadTime
from reconciler.rollout.reading import partial_read
from reconciler.rollout.reason import Phase, Status
from reconciler.rollout.step import RETRY_DELAY, Attempt
from reconciler.spec.scale_set import Target


class Observer:
    """Reads facts until there is a decision, and records the model and the instances in the store."""

    def __init__(
        self,
        azure: AzureClient,
        store: Store,
        specs: DeclaredHistory,
        check_reach: Reach | None,
        holder: str = "",
    ) -> None:
        """`holder` is the holder of our own claim, or "" if there is none."""
        self._azure = azure
        self._specs = specs
        self._store = store
        self._checks = Checks(azure.now, check_reach)
        self._images = ImageWatch(azure)
        self._now = azure.now
        self._holder = holder

    def decide(self, state: ScaleSetState, priority: Priority) -> tuple[Decision, Observed]:
        """The decision, and the observation that it is based on.

        Raises AzureFailure if a fact cannot be read.
        """
        began = self._now()
        observed = Observed(
            began,
            began,
            fleet_pause=state.fleet_pause,
            pick=pick_in_force(state, began),
            holder=self._holder,
            progress=state.progress,
        )
        while True:
            verdict = decide(state.desired, observed)
            is_outdated = not isinstance(verdict, Need) and self._is_outdated(state, observed)
            need = Need.MODEL if is_outdated else verdict
            if not isinstance(need, Need):
                return need, observed
            seen = self._observe(need, state, observed, priority)
            observed = replace(seen, at=self._now(), last_need=need)

    def _observe(self, at: Need, state: ScaleSetState, observed: Observed, priority: Priority) -> Observed:
        """Add the fact that the decision asks for. Raises AzureFailure if the fact cannot be read."""
        target, model = state.desired.target, observed.model
        if at is Need.MODEL and model is None and (known := self._known_model(state)):
            known_model, read_at = known
            return replace(observed, model=known_model, model_read=ReadTime(read_at, read_at))
        if at is Need.MODEL:
            return self._with_model(state, observed, priority)
        assert isinstance(model, Model), "the decision asks for the model first"  # noqa: S101
        began = self._now()
        match at:
            case Need.INSTANCES:
                return self._with_instances(model, state, observed, priority)
            case Need.ROLLING_UPGRADE:
                found = self._azure.rolling_upgrade(target, priority)
                read = ReadTime(began, self._now())
                return replace(observed, rolling_upgrade=found, rolling_upgrade_read=read)
            case Need.IMAGE:
                availability = self._azure.availability(state.desired.image, model, priority)
                return replace(observed, availability=availability)
            case Need.ROLLBACK_TARGET:
                good = model.persisted.last_good
                assert good, "the decision asks where there is one"  # noqa: S101
                return replace(observed, rollback_target=self._azure.availability(good, model, priority))
            case Need.OPERATION:
                assert observed.attempt, "there is an operation where a step was tried"  # noqa: S101
                return replace(observed, operation=self._operation(observed.attempt, target))
            case Need.AUTHORS | Need.HISTORY | Need.GATES | Need.LASTING:
                return self._observe_elsewhere(at, state, observed)

    def _with_model(self, state: ScaleSetState, observed: Observed, priority: Priority) -> Observed:
        """Read the model. Raises AzureFailure if it cannot be read."""
        began = self._now()
        model = self._azure.model(state.desired.target, priority)
        if isinstance(model, Model):
            model = without_barred_retry(model, state.desired.fleet)
        self._store.apply(state.key, ModelRead(model if isinstance(model, Model) else None, self._now()))
        return replace(observed, model=model, model_read=ReadTime(began, self._now()))

    def _with_instances(
        self, model: Model, state: ScaleSetState, observed: Observed, priority: Priority
    ) -> Observed:
        """List the instances, and read an outdated model again. Raises AzureFailure if either read fails."""
        began = self._now()
        listed, now = self._azure.instances(state.desired.target, model, priority), self._now()
        if self._is_outdated(state, observed):
            observed = self._with_model(state, observed, priority)
            if not isinstance(observed.model, Model):
                return observed
            model = observed.model
        instances = date_instances(
            listed, state.seen.sightings, state.progress.attempt, model.health_source, now
        )
        event = InstancesRead(
            now,
            sightings(instances, model.health_source, now),
            notes(model, instances, self._availability(state, model, priority)),
            partial_read(model, instances) is None,
            seen_instances(instances, model.health_source, now),
        )
        self._store.apply(state.key, event)
        return replace(observed, instances=instances, instances_read=ReadTime(began, now))

    def _is_outdated(self, state: ScaleSetState, observed: Observed) -> bool:
        """Whether the model is too old to draw any conclusion from.

        A model is kept only after a throttled reconcile, which may have been hours ago. An old model is good
        enough to ask for the list of instances. Once the list has arrived, the model is read again. This
        takes one read for each list, not one for each attempt.
        """
        is_kept, read = state.seen.model_at is not None, observed.model_read
        return is_kept and read is not None and self._now() - read.ended > FRESH

    def _availability(self, state: ScaleSetState, model: Model, priority: Priority) -> Availability | None:
        """The availability of the model's image, or None if the model may be about to change.

        A rollout looks up the availability of its own image.
        """
        if state.outcome is None:
            return None
        meaning = state.outcome.reason.meaning
        is_at_a_gate = any(each.closed for each in state.outcome.gates)
        is_at_rest = meaning.phase in {Phase.DONE, Phase.ROLLED_BACK} or meaning.is_failure
        stays = is_at_rest or is_at_a_gate or meaning.status is Status.WAITING
        return self._images.availability(model, priority) if stays else None

    def _observe_elsewhere(self, at: Need, state: ScaleSetState, observed: Observed) -> Observed:
        """Add a fact that does not come from Azure."""
        if at is Need.AUTHORS:
            return replace(observed, authors=self._specs.authors(state.desired, state.commit))
        if at is Need.HISTORY:
            return replace(observed, was_declared=self._was_declared(state, observed))
        if at is Need.GATES:
            gates = evaluation.evaluate_gates(state.desired, observed, self._store, self._checks)
            return replace(observed, gates=gates)
        return replace(observed, lasting=evaluation.evaluate_lasting(state.desired, observed, self._store))

    def _was_declared(self, state: ScaleSetState, observed: Observed) -> bool:
        good = observed.model.persisted.last_good if isinstance(observed.model, Model) else None
        return good is not None and self._specs.was_declared(state.desired, good, state.commit)

    def _operation(self, attempt: Attempt, target: Target) -> Operation:
        """The status of the operation. If it stays unreadable, Azure is assumed not to know the operation."""
        try:
            return self._azure.operation(attempt.operation, target)
        except AzureFailure as failure:
            left = attempt.at + RETRY_DELAY - self._now()
            if left <= timedelta():
                return Operation("")
            if isinstance(failure, TooManyRequests):  # could be hours
                raise TooManyRequests(
                    str(failure), min(failure.retry_after, left), policy=failure.policy
                ) from failure
            raise

    def _known_model(self, state: ScaleSetState) -> tuple[Model, datetime] | None:
        """A known model that makes a read unnecessary, and when it was read.

        A reconcile that a sweep started may use the list entry of that sweep, but only once: a later
        reconcile must see changes to the model. After a requeue, the entry must be fresh.

        After a throttled reconcile, the next one may use the model that the throttled one read, or an entry
        that was listed since, to ask for the list of instances. In a large fleet, scale sets wait until Azure
        allows that list, and each would otherwise read its model again and again. Another writer may have
        changed the model meanwhile, so no conclusion is drawn from an old model (see `_is_outdated`).
        """
        seen, outcome = state.seen, state.outcome
        is_requeued = outcome is not None and outcome.requeue_after is not None
        listed_at = seen.listed_at
        if seen.listed and listed_at:
            is_fresh = not is_requeued or self._now() - listed_at <= FRESH
            if is_fresh or (seen.model_at is not None and seen.model_at < listed_at):
                self._store.apply(state.key, ModelRead(seen.listed, listed_at, is_row=True))
                return seen.listed, listed_at
        return (seen.model, seen.model_at) if seen.model and seen.model_at else None
