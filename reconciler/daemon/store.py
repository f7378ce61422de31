"""What is known of every scale set right now, for the loop, the status page, the metrics and the table.

In memory only: nothing here is needed in order to act. Entries are frozen and replaced whole, so a reader
needs no lock to read one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from reconciler.azure.request_counter import RequestCounter
from reconciler.daemon.condition import UNSEEN, Condition
from reconciler.daemon.history import History
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import Revision
from reconciler.forecast.batch_duration import MeasuredBatch
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.age import Sighting
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.gate import Gate
from reconciler.rollout.observed import Model
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Status
from reconciler.rollout.step import Attempt
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class Change:
    """The commit by which a scale set is to change its image, and when that came into force.

    `is_held`: the commit changes more of them than `spec.maxChange` of the Fleet allows.
    """

    commit: str
    at: datetime
    is_held: bool


@dataclass(frozen=True, slots=True)
class ScaleSetState:
    """One scale set: what is declared of it, and what the last looks at it gave.

    `decided` is the spec that `outcome` is about, None where nothing could be decided yet.
    `model` is as the last tick saw it, `counts` of the last list of its instances, at `looked_at`. `listed`
    is what the last sweep saw; `listed_at` is None once a tick has looked at it. `is_rolling` says whether
    the last decision found it under way; a call that fails says nothing about that.
    `concluded` is what the last decision, or the last refusal by Azure, was about. `known_at` is when it was
    last known how it stands: when a tick came to a decision, or a sweep saw that no tick was called for.
    `forecast` is as of the last step or wait, `measured` what the last few batches took.

    `counted` is the declared image that was last weighed against the cap on change, and `change` what came
    of it: None where it changes nothing. `exact` is what that image meant when the gates were last asked.
    `is_under_way` says whether it holds one of the places of `spec.maxConcurrentRollouts`, None where this
    process cannot tell yet. `sightings` are how its instances, by id, were seen last, `notes` what it says of
    itself.
    """

    desired: ScaleSet
    commit: str
    outcome: Outcome | None = None
    decided: ScaleSet | None = None
    model: Model | None = None
    counts: InstanceCounts | None = None
    looked_at: datetime | None = None
    listed: Model | None = None
    listed_at: datetime | None = None
    attempt: Attempt | None = None
    progress: Progress = field(default_factory=Progress)
    is_rolling: bool = False
    forecast: Forecast | None = None
    measured: tuple[MeasuredBatch, ...] = ()
    concluded: Revision | None = None
    known_at: datetime | None = None
    counted: Image | None = None
    change: Change | None = None
    exact: Image | None = None
    is_under_way: bool | None = None
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = UNSEEN
    history: History = field(default_factory=History)

    @property
    def revision(self) -> Revision:
        """What is declared of it now."""
        return Revision.of(self.desired, self.commit)

    @property
    def observed(self) -> Revision | None:
        """What it was last decided on. A commit that says nothing new of it is seen as soon as it is
        declared."""
        declared = self.revision
        return declared if self.concluded and self.concluded.spec == declared.spec else self.concluded


@dataclass(frozen=True, slots=True)
class Sweep:
    """The last sweep: when, what specs were in force, and what went wrong outside any one scale set."""

    at: datetime
    commit: str
    subject: str
    trouble: tuple[str, ...] = ()


@dataclass(slots=True)
class Store:
    """Every entry by the key of its target, the last sweep, and what was asked of Azure.

    By target and not by name: a spec that is renamed is about the same scale set, and goes on where it was.
    """

    last_sweep: Sweep | None = None
    requests: RequestCounter = field(default_factory=RequestCounter)
    _states: dict[str, ScaleSetState] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def states(self) -> tuple[ScaleSetState, ...]:
        """All of them, by name."""
        with self._lock:
            return self._by_name()

    @property
    def is_as_declared(self) -> bool:
        """Whether every scale set is as its spec says, or suspended."""
        outcomes = [state.outcome for state in self.states()]
        return all(each and each.status in {Status.READY, Status.SUSPENDED} for each in outcomes)

    def get(self, key: str) -> ScaleSetState | None:
        with self._lock:
            return self._states.get(key)

    def declare(self, scale_sets: Iterable[ScaleSet], commit: str) -> tuple[str, ...]:
        """Take over what is declared now. Returns the names of those whose scale sets no longer are."""
        wanted = {each.target.key: each for each in scale_sets}
        with self._lock:
            gone = [self._states.pop(key) for key in self._states.keys() - wanted.keys()]
            for key, desired in wanted.items():
                known = self._states.get(key)
                if known is None:
                    self._states[key] = ScaleSetState(desired, commit)
                    continue
                # What was counted against another image, or what it meant, says nothing about this one.
                counts, forecast, exact = known.counts, known.forecast, known.exact
                if known.desired.image != desired.image:
                    counts = forecast = exact = None
                self._states[key] = replace(
                    known, desired=desired, commit=commit, counts=counts, forecast=forecast, exact=exact
                )
            return tuple(sorted(state.desired.name for state in gone))

    def update(self, key: str, **changes: object) -> None:
        """Replace fields of an entry, if the scale set is still declared."""
        with self._lock:
            if key in self._states:
                self._states[key] = replace(self._states[key], **changes)  # type: ignore[arg-type]

    def retell(self, told: ScaleSetState, **changes: object) -> None:
        """Replace fields of an entry, unless a tick has come to another outcome meanwhile."""
        key = told.desired.target.key
        with self._lock:
            state = self._states.get(key)
            if state and state.outcome is told.outcome:
                self._states[key] = replace(state, **changes)  # type: ignore[arg-type]

    def claim(self, key: str, ask: Callable[[ScaleSetState, Sequence[ScaleSetState]], Gate]) -> Gate:
        """Ask whether there is a place for this one, and take it where there is: nobody else asks meanwhile.

        Raises KeyError where the scale set is no longer declared.
        """
        with self._lock:
            state = self._states[key]
            gate = ask(state, self._by_name())
            if gate.closed is None:
                self._states[key] = replace(state, is_under_way=True)
            return gate

    def _by_name(self) -> tuple[ScaleSetState, ...]:
        return tuple(sorted(self._states.values(), key=lambda state: state.desired.name))
