"""A story for the invariants that depend on specs: every write, and the specs in force at that time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.tags import persisted_state
from reconciler.simulator import (
    Absence,
    Exchange,
    Malformed,
    Partial,
    Record,
    ScaleSetSnapshot,
    Slow,
    Stale,
    Truncated,
)
from reconciler.simulator.clock import MONDAY_MORNING
from reconciler.spec.image import KINDS, PlatformImage
from reconciler.spec.image_id import kind_of
from reconciler.spec.scale_set import ScaleSet
from tests.exchanges import (
    LISTS,
    MODELS,
    PATCH,
    UPGRADE,
    Reads,
    image_of,
    model_image,
    named_instances,
    scale_set_of,
    stands_of,
    with_standing,
    writes_and_reads,
)

OLDEST = timedelta(minutes=2)  # reads that a write may follow from, with slow answers
BETWEEN_OBSERVATIONS = timedelta(minutes=6)  # of a scale set at rest during a rollout
ACCEPTED = (HTTPStatus.OK, HTTPStatus.ACCEPTED)


@dataclass(frozen=True, slots=True)
class InForce:
    """The specs in force for the daemon with this client, from the request of this number on."""

    at: datetime
    client: int
    since: int
    scale_sets: tuple[ScaleSet, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A write of a daemon: its number in the record, the spec of its scale set, and all specs.

    `before` has the earlier accepted writes to the scale set by any client. `is_misled` is whether an answer that it
    follows from did not show the actual state.
    """

    number: int
    exchange: Exchange
    desired: ScaleSet
    declared: tuple[ScaleSet, ...]
    before: tuple[Exchange, ...]
    is_misled: bool = False

    @property
    def at(self) -> datetime:
        """When it was sent, which is earlier than recorded if the answer was late."""
        fault = self.exchange.fault
        return self.exchange.at - (fault.delay if isinstance(fault, Slow) and fault.is_late else timedelta())

    @property
    def key(self) -> str:
        return "/".join(scale_set_of(self.exchange))

    @property
    def is_patch(self) -> bool:
        return self.exchange.operation == PATCH

    @property
    def image(self) -> str:
        """The image that it sets, or to which it upgrades instances."""
        return image_of(self.exchange) if self.is_patch else model_image(self.exchange)

    @property
    def persisted(self) -> PersistedState:
        """The state on the tags before the write."""
        return persisted_state(self.exchange.before.tags if self.exchange.before else {})

    @property
    def is_to_last_good(self) -> bool:
        return is_same(self.image, str(self.persisted.last_good or ""))

    @property
    def is_urgent(self) -> bool:
        """Whether its image is declared urgent, so that windows, waves and bake times do not block it."""
        urgent = self.desired.fleet.urgent
        return urgent is not None and self.at < urgent.until and is_same(self.image, str(urgent.image))

    @property
    def taken(self) -> set[str]:
        """The serving instances that it takes out of service."""
        return (
            set()
            if self.is_patch
            else named_instances(self.exchange) & with_standing(self.exchange, "serving")
        )

    @property
    def total(self) -> int:
        return sum(each.status != "deleting" for each in stands_of(self.exchange).values())

    @property
    def upgraded(self) -> dict[str, Exchange]:
        """The instances that an earlier upgrade set to this image and that run it, with the last such upgrade."""
        stands = stands_of(self.exchange)
        return {
            id_: each
            for each in self.before
            if each.operation == UPGRADE and is_same(model_image(each), self.image)
            for id_ in named_instances(each)
            if id_ in stands and is_same(stands[id_].image, self.image)
        }

    @property
    def is_ordinary(self) -> bool:
        """Whether it needs open gates: it takes what serves, or sets the model to another image than the last good
        one, and is no fix. Nor is it ordinary where more than `maxUnhealthy` are unhealthy, unless nobody has approved
        the image: only one that is approved passes a closed gate to be tried on those."""
        if self.is_to_last_good:
            return False
        if not self.is_patch:
            return bool(self.taken)
        return not self.may_be_a_fix and not (self.has_many_unhealthy and self.is_approved)

    @property
    def is_approved(self) -> bool:
        """Whether a person has approved its image, where one is asked to; the last good one counts as approved."""
        approved = is_same(self.image, str(self.persisted.approved or ""))
        return self.desired.rollout.approval is None or self.is_to_last_good or approved

    @property
    def has_many_unhealthy(self) -> bool:
        return len(with_standing(self.exchange, "unavailable")) > self.desired.rollout.max_unhealthy.of(
            self.total
        )

    @property
    def may_be_a_fix(self) -> bool:
        """Whether the image of the model, or that of an instance which does not serve, may have failed here.

        An upgrade set the instance to that image, or the instance was created on it. If the scale set was half-way at
        the start, that is unknown and assumed. All may also have been created on an image that failed, if that is not
        long ago and the write says so.
        """
        model, stands, failed = model_image(self.exchange), stands_of(self.exchange), self.persisted.failed
        away = {id_: stand for id_, stand in stands.items() if stand.status == "unavailable"}
        if failed and any(is_of(failed, image) for image in (model, *(each.image for each in away.values()))):
            return True
        first = stands_of(self.before[0]) if self.before else stands
        rollout, health = self.desired.rollout, self.desired.health
        watched = rollout.bake_time + rollout.first_soak + health.timeout + timedelta(minutes=5)
        blamed = persisted_state((self.exchange.body or {}).get("tags") or {}).failed
        # The instances of a world are as old as its clock.
        if away and blamed and is_of(blamed, model) and self.at - MONDAY_MORNING <= watched:
            return True
        was_half_way = any(not is_same(each.image, model) for each in first.values())
        taken = {id_ for each in self.before for id_ in named_instances(each)}
        return any(was_half_way or id_ in taken or id_ not in first for id_ in away)


@dataclass(frozen=True)
class Story:
    """The record of a world, and what the record lacks. Without `scenes` the invariants about several scale sets check
    nothing. With more than one daemon those about slots do not hold.
    """

    record: Record
    in_force: Sequence[InForce]
    scenes: Mapping[int, Mapping[str, ScaleSetSnapshot]] = field(default_factory=dict)
    is_alone: bool = True

    @cached_property
    def writes(self) -> tuple[Write, ...]:
        """The writes of daemons that change an image or upgrade instances, without those after misleading reads."""
        return tuple(each for each in self.steps if not each.is_misled)

    @cached_property
    def steps(self) -> tuple[Write, ...]:
        """The writes of daemons that change an image or upgrade instances, whatever they follow from. No rule judges
        those after misleading reads, but they are part of the history that other writes are judged by."""
        return tuple(each for each in self._all_writes if each.image or not each.is_patch)

    @cached_property
    def tag_writes(self) -> tuple[Write, ...]:
        """The writes of daemons that change only tags, without those after misleading reads."""
        return tuple(
            each for each in self._all_writes if each.is_patch and not each.image and not each.is_misled
        )

    @cached_property
    def _all_writes(self) -> tuple[Write, ...]:
        return tuple(self._writes())

    def _writes(self) -> Iterator[Write]:
        numbers = {id(each): number for number, each in enumerate(self.record.requests)}
        before: dict[str, tuple[Exchange, ...]] = {}
        for exchange, reads in writes_and_reads(self.record, OLDEST):
            number, key = numbers[id(exchange)], "/".join(scale_set_of(exchange))
            declared = self.declared(exchange.client, number)
            desired = next((each for each in declared if key_of(each) == key), None)
            if desired and exchange.before:
                yield Write(number, exchange, desired, declared, before.get(key, ()), is_misled(reads))
            is_of_tags = exchange.operation == PATCH and not image_of(exchange)
            if not is_of_tags and (exchange.status in ACCEPTED or exchange.status == 0):
                before[key] = (*before.get(key, ()), exchange)

    def declared(self, client: int, number: int) -> tuple[ScaleSet, ...]:
        """The specs in force for the daemon with this client at the request of this number."""
        found = [each.scale_sets for each in self.in_force if each.client == client and each.since <= number]
        return found[-1] if found else ()

    def tells_of_others(self, write: Write) -> bool:
        """Whether the states of all scale sets at this write are known."""
        return write.key in self.scenes.get(write.number, {})

    def upgrades_by_spec(self) -> Iterator[tuple[ScaleSet, frozenset[datetime]]]:
        """Each spec of a scale set, and the times of the upgrades while it was in force."""
        found: dict[str, dict[int, set[datetime]]] = {}
        specs: dict[int, ScaleSet] = {}
        for number, exchange in enumerate(self.record.requests):
            if exchange.operation != UPGRADE:
                continue
            key = "/".join(scale_set_of(exchange))
            for each in self.declared(exchange.client, number):
                if key_of(each) == key:
                    specs[id(each)] = each
                    found.setdefault(key, {}).setdefault(id(each), set()).add(exchange.at)
        for by_spec in found.values():
            for spec, moments in by_spec.items():
                yield specs[spec], frozenset(moments)

    def absences(self, key: str) -> tuple[Absence, ...]:
        if key not in self._absences:
            self._absences[key] = self.record.absences(key)
        return self._absences[key]

    @cached_property
    def _absences(self) -> dict[str, tuple[Absence, ...]]:
        return {}

    def back_since(self, key: str, id_: str, at: datetime) -> datetime | None:
        """Since when this instance has been available at a moment, None if it was never unavailable. Absences between two
        observations do not count, because no daemon can have observed them.
        """
        ends = [
            each.until
            for each in self.absences(key)
            if each.instance_id == id_
            and each.until is not None
            and each.until <= at
            and (each.cause == "manualupgrade" or each.until - each.since > BETWEEN_OBSERVATIONS)
        ]
        return max(ends, default=None)

    def away_since(self, key: str, id_: str, at: datetime) -> Absence | None:
        """The absence of this instance at a moment."""
        return next(
            (
                each
                for each in self.absences(key)
                if each.instance_id == id_ and each.since < at and (each.until is None or each.until > at)
            ),
            None,
        )

    def observations(self, client: int, key: str, until: int) -> list[tuple[datetime, ScaleSetSnapshot]]:
        """The states of this scale set whenever the daemon with this client listed its instances, up to a request."""
        requests = self.record.requests
        return [
            (requests[number].at, scenes[key])
            for number, scenes in self.scenes.items()
            if number < until
            and key in scenes
            and requests[number].client == client
            and requests[number].operation in LISTS
            and requests[number].status == HTTPStatus.OK
            and (requests[number].fault is None or isinstance(requests[number].fault, Slow))
        ]


def key_of(desired: ScaleSet) -> str:
    target = desired.target
    return f"{target.subscription}/{target.resource_group}/{target.name}".lower()


def is_same(image: str, other: str) -> bool:
    return bool(image) and image.casefold() == other.casefold()


def is_misled(reads: Reads) -> bool:
    """Whether an answer that a write follows from did not show the actual state."""
    misleading = Stale | Malformed | Partial | Truncated
    return any(isinstance(each.fault, misleading) for each in reads if each.operation in (*MODELS, *LISTS))


def is_of(fingerprint: Fingerprint, name: str) -> bool:
    """Whether it is the fingerprint of the image with this name in the record."""
    kind = kind_of(name)
    if not kind:
        return False
    return fingerprint.is_of(PlatformImage(*name.split(":")) if kind == "platform" else KINDS[kind](name))
