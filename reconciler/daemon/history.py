"""The most recent rollouts of a scale set: the images, the duration and the result of each.

The history is kept in the memory of this process, and a restart clears it. No decision depends on it. A
rollout that was in progress at the first observation is recorded from then on. Its start time is taken from
the tag of the scale set, or is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.daemon.outcome import Outcome
from reconciler.rollout.observed import Model
from reconciler.rollout.reason import Phase, Reason
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.spec.duration import format_duration
from reconciler.spec.image import Image, same, short
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.wording import count

_KEPT = 5  # as in Flux


class Ending(StrEnum):
    """The result of a rollout."""

    SUCCEEDED = "Succeeded"  # every instance that can be is on the image, and was for `bakeTime`
    FAILED = "Failed"  # held by its own failure until another image was declared
    SUPERSEDED = "Superseded"  # another image was declared while nothing had failed
    GIVEN_UP = "GivenUp"  # `onFailure` set the model back to the last good image

    @property
    def words(self) -> str:
        """The result as words within a sentence, for example "given up"."""
        return self.name.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """One rollout.

    `declared` is the image in the spec, and `image` is its exact version. `before` is the previous image of
    the model, or None if this process did not set the model. `began` is None if unknown. `ended` and `ending`
    are None while the rollout is in progress. `upgraded` has the ids of the upgraded instances, and is
    emptied at the end. `batch_since` is when the current batch was started, or None if there is none.
    `longest` is the duration of the slowest batch so far. `batch_since` and `longest` are as this process
    observed them. `is_partial` is true if the process found the rollout in progress. The batches and
    instances of an earlier process are then not counted.
    """

    declared: Image
    image: Image
    commit: str
    before: Image | None
    began: datetime | None
    ended: datetime | None = None
    ending: Ending | None = None
    batches: int = 0
    instances: int = 0
    upgraded: frozenset[str] = frozenset()
    batch_since: datetime | None = None
    longest: timedelta = timedelta()
    is_failing: bool = False
    is_partial: bool = False

    @property
    def length(self) -> timedelta | None:
        """The duration, or None if it is unknown or the rollout has not ended."""
        return self.ended - self.began if self.began and self.ended else None

    @property
    def message(self) -> str:
        """The images, the result, the duration and the batches, on one line."""
        was = f"{short(self.before)} to " if self.before else "to "
        took = f" in {format_duration(self.length)}" if self.length is not None else ""
        how = f"{self.ending.words if self.ending else 'in progress'}{took}"
        longest = f", longest batch {format_duration(self.longest)}" if self.longest else ""
        # A process that has started no batch itself may have found a rollout in progress.
        since = " since the daemon started" if self.is_partial else ""
        taken = (
            f"; {count(self.instances, 'instance')} in {count(self.batches, 'batch')}{since}{longest}"
            if self.batches
            else ""
        )
        return f"{was}{short(self.image)}: {how}{taken}"


@dataclass(frozen=True, slots=True)
class History:
    """The most recent rollouts, newest first, and the number of all rollouts by result."""

    records: tuple[RolloutRecord, ...] = ()
    endings: Mapping[Ending, int] = field(default_factory=dict)

    @property
    def current(self) -> RolloutRecord | None:
        """The rollout in progress, or None if there is none."""
        return self.records[0] if self.records and self.records[0].ending is None else None

    @property
    def last(self) -> RolloutRecord | None:
        """The last rollout that has ended, or None if there is none."""
        return next((each for each in self.records if each.ending), None)


def history_after(
    history: History,
    desired: ScaleSet,
    model: Model | None,
    outcome: Outcome,
    taken: Step | None,
    *,
    before: Reason | None,
) -> History:
    """The history after a reconcile of `desired` that read `model` and took the step `taken`, if any.

    `before` is the reason of the previous decision, or None if there was none.
    """
    if outcome.is_error or outcome.reason.meaning.hold:
        return history
    current, phase = history.current, outcome.reason.meaning.phase
    if current and not same(current.declared, desired.image):
        history = _supersede(history, outcome.at)
    if outcome.reason is Reason.GIVING_UP or phase is Phase.ROLLED_BACK:
        return _end(history, Ending.GIVEN_UP, outcome.at)
    if phase is Phase.DONE:
        return _end(history, Ending.SUCCEEDED, outcome.at)
    return _continue(_begin(history, desired, model, outcome, taken, before=before), outcome, taken)


def _begin(
    history: History,
    desired: ScaleSet,
    model: Model | None,
    outcome: Outcome,
    taken: Step | None,
    *,
    before: Reason | None,
) -> History:
    """Add the rollout that this reconcile began or found in progress."""
    current = history.current
    match taken:
        case PatchModel(image=image):
            if current and same(current.image, image):
                return history  # another writer had changed the model meanwhile
            was = model.image if model else None
            begun = RolloutRecord(desired.image, image, outcome.commit, was, outcome.at)
            return _with(_supersede(history, outcome.at), begun)
        case Upgrade(image=image) if current is None and not _is_rollback(image, desired, model):
            is_first = _is_first(before, outcome)
            marked = model.persisted.began_at(image) if model else None
            since = marked or (outcome.at if is_first else None)
            found = RolloutRecord(desired.image, image, outcome.commit, None, since, is_partial=not is_first)
            return _with(history, found)
        case None if before is None and _is_half_way(outcome) and model and model.image:
            image, began = model.image, model.persisted.began_at(model.image)
            return _with(
                history, RolloutRecord(desired.image, image, outcome.commit, None, began, is_partial=True)
            )
        case _:
            return history


def _is_first(before: Reason | None, outcome: Outcome) -> bool:
    """Whether the upgrade of this reconcile is the first of a rollout whose model another writer set."""
    return _is_settled(before) or (outcome.counts is not None and not outcome.counts.up_to_date)


def _is_settled(reason: Reason | None) -> bool:
    """Whether a decision with this reason found no rollout in progress, or has just ended one."""
    if reason is None:
        return False
    return reason is Reason.GIVING_UP or reason.meaning.phase in {Phase.DONE, Phase.ROLLED_BACK}


def _is_half_way(outcome: Outcome) -> bool:
    counts = outcome.counts
    return counts is not None and 0 < counts.up_to_date < counts.total


def _is_rollback(image: Image, desired: ScaleSet, model: Model | None) -> bool:
    """Whether an upgrade to `image` is part of a rollback."""
    failed = model.persisted.failed if model else None
    return failed is not None and not failed.is_of(image) and not same(image, desired.image)


def _continue(history: History, outcome: Outcome, taken: Step | None) -> History:
    """Record the start of a batch, or the end of the current one."""
    current = history.current
    if current is None or outcome.counts is None:
        return history
    is_failing = outcome.reason.meaning.is_failure or outcome.reason is Reason.OPERATION_FAILED
    current = replace(current, is_failing=is_failing)
    if isinstance(taken, Upgrade):
        current = _with_batch(current, taken.instance_ids, outcome.at)
    elif not outcome.reason.meaning.keeps_batch:
        current = _end_batch(current, outcome.at)
    return replace(history, records=(current, *history.records[1:]))


def _with_batch(record: RolloutRecord, ids: Sequence[str], at: datetime) -> RolloutRecord:
    """Add a batch, unless it is a retry of the current one."""
    if record.batch_since is not None and record.upgraded.issuperset(ids):
        return record
    upgraded = record.upgraded.union(ids)
    return replace(
        _end_batch(record, at),
        batches=record.batches + 1,
        instances=len(upgraded),
        upgraded=upgraded,
        batch_since=at,
    )


def _end_batch(record: RolloutRecord, at: datetime) -> RolloutRecord:
    """End the current batch, if any: its instances are healthy again, or are no longer waited for."""
    if record.batch_since is None:
        return record
    return replace(record, batch_since=None, longest=max(record.longest, at - record.batch_since))


def _supersede(history: History, at: datetime) -> History:
    """End the rollout in progress, if there is one, because another image is declared."""
    is_failing = history.current is not None and history.current.is_failing
    return _end(history, Ending.FAILED if is_failing else Ending.SUPERSEDED, at)


def _end(history: History, ending: Ending, at: datetime) -> History:
    current = history.current
    if current is None:
        return history
    current = replace(_end_batch(current, at), ended=at, ending=ending, upgraded=frozenset())
    endings = {**history.endings, ending: history.endings.get(ending, 0) + 1}
    return replace(history, records=(current, *history.records[1:]), endings=endings)


def _with(history: History, record: RolloutRecord) -> History:
    return replace(history, records=(record, *history.records[: _KEPT - 1]))
