"""Injects the faults of a rehearsal into the simulator. The same seed injects the same faults."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from random import Random

from reconciler.rehearsal.fault import Fault, FaultKind
from reconciler.rehearsal.simulated_azure import SimulatedAzure
from reconciler.rollout.step import Upgrade
from reconciler.rollout.wording import join
from reconciler.simulator import LiveInstance, LiveScaleSet, Throttled
from reconciler.spec.amount import Count
from reconciler.spec.scale_set import ScaleSet

_THROTTLED_EVERY = timedelta(minutes=10)
_THROTTLED_REQUESTS = 3
_RETRY_AFTER = timedelta(minutes=2)
_EVICTED_AFTER = timedelta(seconds=30)  # after the start of a batch


class NoTarget(ValueError):
    """A fault cannot happen in the fleet. The message says why."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An effect of a fault on the scale set with the key `key`. `text` describes it in a sentence."""

    key: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An instance that would be upgraded in a rehearsal without faults."""

    desired: ScaleSet
    instance: LiveInstance

    @property
    def name(self) -> str:
        return _name(self.desired, self.instance)


class Injection:
    """The faults of one rehearsal. Raises NoTarget if a fault cannot happen in the fleet."""

    def __init__(
        self,
        azure: SimulatedAzure,
        scale_sets: Mapping[str, ScaleSet],
        expected: Mapping[str, Sequence[str]],
        faults: Sequence[Fault],
        seed: int,
    ) -> None:
        """`scale_sets` has the specs, and `expected` has the ids of the instances to upgrade, both by key."""
        self.happened: list[Happening] = []
        self._azure = azure
        self._scale_sets = scale_sets
        self._live = dict(_existing(azure, scale_sets))
        self._expected = expected
        self._faults = faults
        self._seed = seed
        self._spoiled: dict[FaultKind, list[_Candidate]] = {}
        self._evictions = 0  # the number that have yet to happen
        for fault in faults:
            self._prepare(fault)

    def note_upgrade(self, key: str, step: Upgrade) -> None:
        """Record the start of a batch.

        If an eviction is still to come, schedule it for an instance outside the batch.
        """
        live = self._live[key]
        if not self._evictions or not live.is_spot:
            return
        desired, spoiled = self._scale_sets[key], self._spoiled_names()
        others = [
            each
            for each in live.instances
            if each.id not in step.instance_ids
            and each.state[1] == "running"
            and _name(desired, each) not in spoiled
        ]
        if others:
            self._evictions -= 1
            chosen = self._random(key).choice(sorted(others, key=lambda each: each.id))
            self._azure.clock.after(_EVICTED_AFTER, partial(self._evict, key, chosen))

    def results(self) -> Iterator[tuple[Fault, str]]:
        """Each fault with a description of its effect."""
        for fault in self._faults:
            match fault.kind:
                case FaultKind.THROTTLE:
                    refused = sum(
                        each.status == HTTPStatus.TOO_MANY_REQUESTS
                        for each in self._azure.simulator.record.requests
                    )
                    yield fault, f"{refused} requests got 429"
                case FaultKind.EVICT:
                    names = [each.text.partition(" ")[0] for each in self.happened]
                    yield fault, _effect(fault, names) or "no Spot instance was outside a batch"
                case FaultKind.UNHEALTHY | FaultKind.STUCK:
                    names = [each.name for each in self._spoiled[fault.kind]]
                    yield fault, _effect(fault, names) or "no instance is to be upgraded"

    def _prepare(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.THROTTLE:
                self._azure.simulator.cloud.is_throttling = True
                self._throttle()
            case FaultKind.EVICT:
                if not any(each.is_spot for each in self._live.values()):
                    raise NoTarget(f"{fault}: no scale set of the fleet has Spot instances")
                self._evictions = fault.amount.of(0)
            case FaultKind.UNHEALTHY | FaultKind.STUCK:
                self._spoiled[fault.kind] = self._choose(fault)
                for each in self._spoiled[fault.kind]:
                    self._spoil(each, fault.kind)

    def _choose(self, fault: Fault) -> list[_Candidate]:
        """The instances that a fault affects.

        For `stuck`, the instances are spread over as many scale sets as possible.
        """
        taken = self._spoiled_names()
        found = [each for each in self._candidates() if each.name not in taken]
        if not found:
            return []
        random = self._random(fault.kind)
        random.shuffle(found)
        if fault.kind is FaultKind.STUCK:
            firsts = list({each.desired.name: each for each in reversed(found)}.values())
            found = [*firsts, *(each for each in found if each not in firsts)]
        return sorted(found[: fault.amount.of(len(found))], key=lambda each: each.name)

    def _spoiled_names(self) -> set[str]:
        return {each.name for spoiled in self._spoiled.values() for each in spoiled}

    def _candidates(self) -> Iterator[_Candidate]:
        for key, ids in self._expected.items():
            yield from (_Candidate(self._scale_sets[key], self._live[key].instance(each)) for each in ids)

    def _spoil(self, chosen: _Candidate, kind: FaultKind) -> None:
        """Make the upgrade of an instance fail as `kind` says.

        An instance without a health extension cannot become unhealthy, so it fails to provision instead.
        """
        has_extension = self._live[chosen.desired.target.key].health == "extension"
        if kind is FaultKind.STUCK:
            chosen.instance.spoil("never")
        else:
            chosen.instance.spoil("unhealthy" if has_extension else "fails")

    def _throttle(self) -> None:
        self._azure.simulator.faults.arm("*", Throttled(_RETRY_AFTER), times=_THROTTLED_REQUESTS)
        self._azure.clock.after(_THROTTLED_EVERY, self._throttle)

    def _evict(self, key: str, instance: LiveInstance) -> None:
        name = _name(self._scale_sets[key], instance)
        self.happened.append(Happening(key, self._azure.clock.now(), f"{name} is evicted"))
        instance.evict()

    def _random(self, purpose: str) -> Random:
        return Random(f"{self._seed}/{purpose}")  # noqa: S311 - reproducible, no security


def _effect(fault: Fault, names: Sequence[str]) -> str:
    """The names of the instances that a fault affected, with a note if there are fewer than requested."""
    asked = fault.amount.instances if isinstance(fault.amount, Count) else 0
    return f"{f'only {len(names)} of {asked}: ' if 0 < len(names) < asked else ''}{join(names)}"


def _existing(
    azure: SimulatedAzure, scale_sets: Mapping[str, ScaleSet]
) -> Iterator[tuple[str, LiveScaleSet]]:
    """The declared scale sets that exist, by key.

    Reads the simulator directly, because a fault could make a request fail.
    """
    for key in scale_sets:
        with suppress(KeyError):
            yield key, azure.simulator.scale_set(_path(key))


def _path(key: str) -> str:
    """The name of a scale set in the simulator: SUBSCRIPTION/RESOURCE_GROUP/NAME."""
    _, _, subscription, _, group, *_, name = key.split("/")
    return f"{subscription}/{group}/{name}"


def _name(desired: ScaleSet, instance: LiveInstance) -> str:
    """The name of an instance. In a Flexible scale set, the name of an instance is its id."""
    return f"{desired.target.name}_{instance.id}" if instance.id.isdecimal() else instance.id
