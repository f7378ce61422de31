"""All that is known of one scale set: what is declared of it, how it was last seen, how far its rollout is,
and what is published of it.

In memory only, and frozen. `advance` makes the next state of one; nothing else does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from reconciler.daemon.condition import UNOBSERVED, Condition
from reconciler.daemon.history import History
from reconciler.daemon.in_force import Behind, Origin
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import Revision
from reconciler.forecast.batch_duration import MeasuredBatch
from reconciler.forecast.forecast import Forecast
from reconciler.rollout.age import Sighting
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet

_T = TypeVar("_T")
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Change:
    """The commit by which a scale set is to change its image, and when that came into force.

    `is_held`: the commit changes more of them than `spec.maxChange` of the Fleet allows.
    """

    commit: str
    at: datetime
    is_held: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that failed in a scale set of this name."""

    name: str
    image: Fingerprint


@dataclass(frozen=True, slots=True)
class LastSeen:
    """How a scale set was last seen.

    `model` is as the last tick saw it; `counts` of its instances, `sightings` of each by id, and `notes`,
    what it says of itself, are as of the last list of them, at `instances_at`. `listed` is what the last
    sweep saw; `listed_at` is None once a tick has looked at it. `exact` is what the declared image meant when
    the gates were last asked.
    """

    model: Model | None = None
    counts: InstanceCounts | None = None
    instances_at: datetime | None = None
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    listed: Model | None = None
    listed_at: datetime | None = None
    exact: Image | None = None

    @property
    def listed_or_read(self) -> Model | None:
        """The model as the last sweep listed it, though a tick may have read a newer one since; before any
        sweep listed it, as a tick read it."""
        return self.listed or self.model


@dataclass(frozen=True, slots=True)
class Published:
    """What people and programs are told of a scale set, and what is due is judged by.

    `outcome` is what came of the last tick, and `decided` the spec that it is about, None where nothing could
    be decided yet. `concluded` is what the last decision, or the last refusal by Azure, was about.
    `known_at` is when it was last known how it stands: when a tick came to a decision, or a sweep saw that no
    tick was called for. `forecast` is as of the last step or wait, `measured` what the last few batches took.
    """

    outcome: Outcome | None = None
    decided: ScaleSet | None = None
    concluded: Revision | None = None
    known_at: datetime | None = None
    forecast: Forecast | None = None
    measured: tuple[MeasuredBatch, ...] = ()
    conditions: tuple[Condition, ...] = UNOBSERVED
    history: History = field(default_factory=History)


@dataclass(frozen=True, slots=True)
class ScaleSetState:
    """One scale set.

    `declared_at` is when this process first read a spec of it. `weighed` is the declared image that was last
    held against the cap on change, and `change` what came of it: None where it changes nothing. `removed` are
    failures in others, whose specs were removed since. For `origin`,
    `behind` and `is_newer` see `InForce`, and for `stale_since` see `SpecRead`.
    """

    desired: ScaleSet
    commit: str
    declared_at: datetime | None = None
    origin: Origin | None = None
    behind: Behind | None = None
    is_newer: bool = False
    stale_since: datetime | None = None
    counted_image: Image | None = None
    change: Change | None = None
    removed: frozenset[Failure] = frozenset()
    seen: LastSeen = field(default_factory=LastSeen)
    progress: Progress = field(default_factory=Progress)
    published: Published = field(default_factory=Published)

    @property
    def key(self) -> str:
        """By target and not by name: a spec that is renamed is about the same scale set."""
        return self.desired.target.key

    @property
    def exact(self) -> Image:
        """The declared image, as far as it was resolved."""
        return self.seen.exact or self.desired.image

    @property
    def outcome(self) -> Outcome | None:
        """What came of the last tick."""
        return self.published.outcome

    @property
    def failures(self) -> frozenset[Failure]:
        """The images that failed here, as far as this process or the scale set itself knows."""
        model = self.seen.listed_or_read
        failed = (self.progress.blamed, model.persisted.failed if model else None)
        return frozenset(Failure(self.desired.name, each) for each in failed if each)

    @property
    def is_throttled(self) -> bool:
        """Whether Azure left no request for the last look."""
        outcome = self.outcome
        return outcome is not None and (outcome.as_of is not None or outcome.reason is Reason.THROTTLED)

    @property
    def revision(self) -> Revision:
        """What is declared of it now."""
        return Revision.of(self.desired, self.commit)

    @property
    def observed_revision(self) -> Revision | None:
        """What it was last decided on. A commit that says nothing new of it is seen as soon as it is
        declared."""
        declared, concluded = self.revision, self.published.concluded
        return declared if concluded and concluded.spec == declared.spec else concluded


class ScaleSetStates(tuple[ScaleSetState, ...]):
    """Those of all scale sets at one moment, by name.

    What a gate asks of all of them is found once, and not once for each scale set that waits: of 2,000 that
    wait for one pilot, 2,000 are looked through and not four million.
    """

    _found: dict[Any, Any]

    @classmethod
    def of(cls, states: Sequence[ScaleSetState]) -> "ScaleSetStates":
        if isinstance(states, ScaleSetStates):
            return states
        made = cls(states)
        made._found = {}
        return made

    def find_once(
        self,
        find: Callable[Concatenate["ScaleSetStates", _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """What `find` finds among them; both it and its arguments tell one question from another."""
        question = (find, args, tuple(sorted(kwargs.items())))
        if question not in self._found:
            self._found[question] = find(self, *args, **kwargs)
        answer: _T = self._found[question]
        return answer
