"""What a change will do to a fleet: which scale sets and instances, when, and what could go wrong.

A plan compares the specs with Azure and, if there is a base, with the specs of an earlier commit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import accumulate, zip_longest

from reconciler.daemon.revision import differs
from reconciler.daemon.state import ScaleSetState
from reconciler.forecast.forecast import Forecast
from reconciler.prediction.declared import Base
from reconciler.prediction.fleet_forecast import FleetForecast
from reconciler.prediction.recording import Snapshot
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.refusal import describe_fleet_pause
from reconciler.spec.image import Image, same
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A change from one image to another, on the scale sets `names`. `before` is None if it is unknown."""

    before: Image | None
    after: Image
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wave:
    """The rollouts of one wave. `first` is the scale set that begins first. `ends` is None if unknown."""

    number: int
    scale_sets: int
    instances: int
    first: str
    begins: datetime
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class WorstLoss:
    """The largest share of a single scale set that is unavailable at the same time.

    `at` is when this loss begins, or None if that is not during a batch.
    """

    name: str
    instances: int
    of: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class WorstMoment:
    """The time at which the most instances are unavailable, across all scale sets that roll out."""

    at: datetime
    instances: int
    of: int


@dataclass(frozen=True)
class Plan:
    """The states of all scale sets as just observed, and their forecast.

    `base` is None if the specs are compared with Azure alone. Every scale set that rolls out then counts as
    changed. `beyond` has scale sets that are not shown but count towards the limits of the Fleet.
    """

    states: Sequence[ScaleSetState]
    snapshot: Snapshot
    forecast: FleetForecast
    base: Base | None = None
    beyond: Sequence[ScaleSetState] = ()

    def limited_to(self, fits: Callable[[ScaleSet], bool]) -> "Plan":
        declared = {each.key for each in self.states}
        states = tuple(each for each in self.states if fits(each.desired))
        shown = {each.key for each in states}
        before = {
            key: each
            for key, each in (self.base.scale_sets if self.base else {}).items()
            if key in shown or (key not in declared and fits(each))
        }
        return replace(
            self,
            states=states,
            base=replace(self.base, scale_sets=before) if self.base else None,
            beyond=(*self.beyond, *(each for each in self.states if each.key not in shown)),
        )

    @cached_property
    def rolling(self) -> tuple[ScaleSetState, ...]:
        """The scale sets that take at least one step because of the change."""
        return tuple(
            each for each in self.states if each.key in self.forecast.forecasts and self.is_changed(each)
        )

    @cached_property
    def other_rollouts(self) -> tuple[ScaleSetState, ...]:
        """The scale sets that take at least one step, whether or not the change is made."""
        return tuple(
            each for each in self.states if each.key in self.forecast.forecasts and not self.is_changed(each)
        )

    @cached_property
    def changed(self) -> tuple[ScaleSetState, ...]:
        """The scale sets whose spec the change adds or changes. Without a base, those that roll out."""
        if self.base is None:
            return self.rolling
        return tuple(filter(self.is_changed, self.states))

    @property
    def changes_fleet(self) -> bool:
        """Whether the change affects the settings of the Fleet, which apply to every scale set."""
        before = self.base.scale_sets if self.base else {}
        return any(
            each.key in before and before[each.key].fleet != each.desired.fleet for each in self.states
        )

    @property
    def paused(self) -> str:
        """Who has paused the fleet, and why, or "" if it is not paused.

        The forecast assumes that the pause is lifted now.
        """
        return next((describe_fleet_pause(each.fleet_pause) for each in self.states), "")

    @property
    def removed(self) -> tuple[str, ...]:
        """The names of the scale sets whose spec the change removes."""
        if self.base is None:
            return ()
        kept = {each.key for each in self.states}
        return tuple(sorted(each.name for key, each in self.base.scale_sets.items() if key not in kept))

    @property
    def instances(self) -> int:
        """The number of instances that are upgraded because of the change."""
        return sum(_instances(self.forecast_of(each)) for each in self.rolling)

    @property
    def begins(self) -> datetime | None:
        """When the first step is taken, or None if no step is taken."""
        return min((self.steps_begin(each) for each in self.rolling), default=None)

    @property
    def ends(self) -> datetime | None:
        """When the last rollout ends, or None if there is no rollout, or if some rollout does not end."""
        return None if self._unfinished else self._end(self.rolling)

    @property
    def unfinished_at(self) -> datetime | None:
        """When the forecast stops, if that is before the change is complete, or else None."""
        return self.forecast.until if self._unfinished else None

    @cached_property
    def _unfinished(self) -> tuple[ScaleSetState, ...]:
        """The changed scale sets that are not settled when the forecast stops early."""
        if self.forecast.is_whole:
            return ()
        last = self.forecast.last
        return tuple(
            each
            for each in self.states
            if self.is_changed(each) and not (each.key in last and last[each.key].status.settled)
        )

    @property
    def worst_loss(self) -> WorstLoss | None:
        """The largest loss in any one scale set, or None if no instance is upgraded."""
        losses = [
            WorstLoss(each.desired.name, found.max_unavailable, found.total, _worst_at(found))
            for each in self.rolling
            if (found := self.forecast_of(each)).batches
        ]
        return max(losses, key=lambda each: (each.instances / each.of, each.instances), default=None)

    @property
    def worst_moment(self) -> WorstMoment | None:
        """The moment of the largest loss across all scale sets, or None if no instance is upgraded."""
        forecasts = [self.forecast_of(each) for each in self.rolling]
        changes = sorted(change for each in forecasts for change in _changes_of_loss(each))
        lost = list(accumulate(change for _, change in changes))
        if not lost:
            return None
        most = max(lost)
        return WorstMoment(changes[lost.index(most)][0], most, sum(each.total for each in forecasts))

    @property
    def images(self) -> tuple[ImageChange, ...]:
        """The image changes, those to the most scale sets first."""
        groups: dict[tuple[str, str], list[ScaleSetState]] = defaultdict(list)
        for each in self.rolling:
            before = self._before(each)
            groups[str(before).casefold() if before else "", str(each.exact).casefold()].append(each)
        changes = (
            ImageChange(self._before(group[0]), group[0].exact, names_of(group)) for group in groups.values()
        )
        return tuple(sorted(changes, key=lambda each: -len(each.names)))

    @property
    def failures_allowed(self) -> int | None:
        """The number of scale sets in which an image may fail, or None if nothing rolls out.

        If it fails in more, no other scale set begins it. If there are several images, this is the smallest
        of their numbers.
        """
        declaring = Counter(Fingerprint.of(each.exact) for each in (*self.states, *self.beyond))
        allowed = (
            each.desired.fleet.max_failed.within(declaring[Fingerprint.of(each.exact)])
            for each in self.rolling
        )
        return min(allowed, default=None)

    @property
    def waves(self) -> tuple[Wave, ...]:
        """The waves that roll out, in order."""
        groups: dict[int, list[ScaleSetState]] = defaultdict(list)
        for each in self.rolling:
            groups[each.desired.wave].append(each)
        return tuple(self._wave(number, groups[number]) for number in sorted(groups))

    def forecast_of(self, state: ScaleSetState) -> Forecast:
        return self.forecast.forecasts[state.key]

    def steps_begin(self, state: ScaleSetState) -> datetime:
        """When this scale set takes its first step, assuming that approvals are given immediately."""
        return self.forecast.began[state.key]

    def is_changed(self, state: ScaleSetState) -> bool:
        """Whether the change adds or changes the spec of this scale set. Always true without a base."""
        if self.base is None:
            return True
        before = self.base.scale_sets.get(state.key)
        return before is None or differs(before, state.desired)

    def _before(self, state: ScaleSetState) -> Image | None:
        """The image before the change: the one that the base declares if it differs, or else the model's
        image.
        """
        declared = self.base.scale_sets.get(state.key) if self.base else None
        if declared and not same(declared.image, state.desired.image):
            return declared.image
        model = self.snapshot.models.get(state.key)
        return model.image if model else None

    def _wave(self, number: int, group: Sequence[ScaleSetState]) -> Wave:
        first = min(group, key=self.steps_begin)
        is_unfinished = any(each.desired.wave == number for each in self._unfinished)
        return Wave(
            number,
            len(group),
            sum(_instances(self.forecast_of(each)) for each in group),
            first.desired.name,
            self.steps_begin(first),
            None if is_unfinished else self._end(group),
        )

    def _end(self, group: Sequence[ScaleSetState]) -> datetime | None:
        ends = [self.forecast.ended.get(each.key) for each in group]
        return max((each for each in ends if each), default=None) if all(ends) else None


def _changes_of_loss(forecast: Forecast) -> Iterator[tuple[datetime, int]]:
    """The changes in the number of unavailable instances, each with its time.

    A batch takes as long as usual, but ends no later than the next batch begins.
    """
    begins = [each.at for each in forecast.batches[1:]]
    for batch, following in zip_longest(forecast.batches, begins):
        end = batch.at + forecast.duration.whole
        yield batch.at, batch.unavailable
        yield min(end, following or end), -batch.unavailable


def _worst_at(forecast: Forecast) -> datetime | None:
    """When the most instances of the scale set are unavailable, or None if that is not during a batch."""
    worst = (each.at for each in forecast.batches if each.unavailable == forecast.max_unavailable)
    return next(worst, None)


def _instances(forecast: Forecast) -> int:
    return len({id_ for batch in forecast.batches for id_ in batch.instance_ids})


def names_of(states: Iterable[ScaleSetState]) -> tuple[str, ...]:
    return tuple(each.desired.name for each in states)
