"""Finds orphans in the lists of a sweep. Each sweep reads the instances of only a few scale sets."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.failure import AzureFailure
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.listing import Listing, scope_of
from reconciler.daemon.orphan import Orphan, candidates, open_rollout, orphan, orphan_names, target_of
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.persisted import Mark
from reconciler.rollout.reading import partial_read
from reconciler.spec.scale_set import ScaleSet, Target

_MOST_READ = 5  # maximum number of scale sets that one sweep reads, because reconciles wait for it
_READ_AGAIN = timedelta(minutes=5)  # somebody may upgrade instances by hand, which the list need not show


@dataclass(frozen=True, slots=True)
class _Look:
    """The result of the last check of a scale set's instances.

    `orphan` is None if the rollout has ended, or if the instances could not be read. `ended` is the start of
    the rollout that has ended, or None.
    """

    model: Model
    at: datetime
    orphan: Orphan | None = None
    ended: Mark | None = None

    def is_due(self, model: Model, at: datetime) -> bool:
        """Whether to check again. A rollout that has ended is not checked again."""
        if self.ended is not None and self.ended == open_rollout(model):
            return False
        return self.model != model or at - self.at >= _READ_AGAIN


class Orphans:
    """The orphans of one fleet, as far as this process knows.

    A scale set that cannot be read keeps its last result.
    """

    def __init__(self, azure: AzureClient) -> None:
        self._azure = azure
        self._former: dict[str, ScaleSet] = {}  # what this process has declared, until its rollout has ended
        self._looks: dict[str, _Look] = {}

    def find(
        self, declared: Sequence[ScaleSet], listed: Listing, at: datetime, elsewhere: Set[str] = frozenset()
    ) -> tuple[Orphan, ...]:
        """The orphans at this moment, sorted by name.

        `elsewhere` has the targets that the specs declare for other shards. Such a scale set is no orphan,
        because its new shard continues the rollout.
        """
        here = {each.target.key: each for each in declared}
        known = here.keys() | elsewhere
        self._looks = {key: look for key, look in self._looks.items() if key not in known}
        gone = {key: each for key, each in self._former.items() if key not in known}
        fleet = next((each.fleet.claim for each in declared), "")
        models, unread = self._models(gone, listed, at)
        undeclared = (each for key, each in models.items() if key not in elsewhere)
        found = candidates(undeclared, fleet, {key: each.fleet.claim for key, each in gone.items()})
        self._looks = {each.id: self._looks[each.id] for each in found if each.id in self._looks}
        self._look_at(found, at)
        names = orphan_names(found, (each.name for each in declared))
        orphans = {key: look.orphan for key, look in self._looks.items() if look.orphan}
        in_question = unread | {each.id for each in found if not self._has_ended(each)}
        self._former = here | {key: each for key, each in gone.items() if key in in_question}
        named = (replace(each, name=names[key]) for key, each in orphans.items())
        return tuple(sorted(named, key=lambda each: each.name))

    def _models(
        self, gone: Mapping[str, ScaleSet], listed: Listing, at: datetime
    ) -> tuple[dict[str, Model], frozenset[str]]:
        """The models of the undeclared scale sets, and the targets that could not be read.

        The sweep does not list a scope in which nothing else is declared. A scale set in such a scope is read
        individually.
        """
        models, unread, reads = dict(listed.undeclared), set[str](), 0
        looked_at = {key: target_of(look.model) for key, look in self._looks.items()}
        for key, target in (looked_at | {key: each.target for key, each in gone.items()}).items():
            scope, look = scope_of(target, by_group=listed.by_group), self._looks.get(key)
            if scope in listed.scopes and scope not in listed.failures:
                continue
            is_due = look is None or at - look.at >= _READ_AGAIN
            if scope not in listed.failures and is_due and reads < _MOST_READ:
                reads += 1
                model = self._model(target)
                if isinstance(model, Model):
                    models[key] = model
                if model is not None:
                    continue
            unread.add(key)
            if look:
                models[key] = look.model
        return models, frozenset(unread)

    def _model(self, target: Target) -> Model | Absent | None:
        """The model, or None if it cannot be read."""
        try:
            return self._azure.model(target, Priority.ROUTINE)
        except AzureFailure:
            return None

    def _look_at(self, found: Iterable[Model], at: datetime) -> None:
        """List the instances of the scale sets that are due for a check, the most recent rollout first."""
        due = [each for each in found if each.id not in self._looks or self._looks[each.id].is_due(each, at)]
        for model in due[:_MOST_READ]:
            before = self._looks.get(model.id) or _Look(model, at)
            self._looks[model.id] = self._look(model, at) or replace(before, model=model, at=at)

    def _look(self, model: Model, at: datetime) -> _Look | None:
        """A check of the instances, or None if they cannot be read."""
        try:
            instances = self._azure.instances(target_of(model), model, Priority.ROUTINE)
        except AzureFailure:
            return None
        if partial_read(model, instances):
            return None
        found = orphan("", model, instances, at)
        return _Look(model, at, found, None if found else open_rollout(model))

    def _has_ended(self, model: Model) -> bool:
        look = self._looks.get(model.id)
        return look is not None and look.ended is not None
