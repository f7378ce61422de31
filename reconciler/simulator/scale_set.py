"""One scale set: its model, its instances, and the operations on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import NO_IMAGE, Image, storage_of
from reconciler.simulator.domains import guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.fit import require_fit
from reconciler.simulator.instance import Instance, Owner
from reconciler.simulator.life import EvictedPower
from reconciler.simulator.merge import merge
from reconciler.simulator.model import Applied, storage_in
from reconciler.simulator.operations import Operation
from reconciler.simulator.record import ScaleSetSnapshot
from reconciler.simulator.rolling import RollingUpgrade
from reconciler.simulator.timings import NOTHING_TO_DO

# The maximum number of instances in a scale set, and in a placement group. Each zone has its own group.
LARGEST = 1000
GROUP = 100
# The age of the instances with which a fleet starts.
AGE = timedelta(days=30)
# The maximum number of models that the instances of a scale set can have at the same time.
MODELS = 10


@dataclass(slots=True, eq=False, kw_only=True)
class ScaleSet(Owner):
    """A scale set. `reported` overrides top-level fields of the resource. A value of None becomes null."""

    capacity: int = 0
    etag: int = 1
    created: datetime = field(init=False)
    settled_at: datetime = field(init=False)
    next_number: int = 0
    running: list[Operation] = field(default_factory=list)
    rolling: RollingUpgrade | None = None
    history: list[RollingUpgrade] = field(default_factory=list)
    failed: bool = False
    reported: dict[str, Any] = field(default_factory=dict)
    reported_state: str | None = None
    allocation_limit: int | None = None
    evicted_power: EvictedPower = "deallocated"
    is_deleting: bool = False
    repairs_suspended: bool = False
    surplus: set[str] = field(default_factory=set)
    when_deleted: list[Callable[[ScaleSet], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # slots=True creates a new class, but a bare super() refers to the old one.
        Owner.__post_init__(self)
        self.created = self.settled_at = self.cloud.clock.now()

    @property
    def provisioning(self) -> str:
        """The provisioning state that the scale set reports. `reported_state` overrides the real state."""
        if self.is_deleting:
            return "Deleting"
        if self.reported_state is not None:
            return self.reported_state
        if kinds := {operation.kind for operation in self.running} - self._silent_kinds:
            return "Creating" if "create" in kinds else "Updating"
        return "Failed" if self.failed else "Succeeded"

    @property
    def outdated_instances(self) -> list[Instance]:
        return [instance for instance in self.instances.values() if not instance.is_current]

    @property
    def snapshot(self) -> ScaleSetSnapshot:
        return ScaleSetSnapshot(
            self.applied.image.name,
            dict(self.body.get("tags") or {}),
            {each.id: each.snapshot for each in self.instances.values()},
        )

    def admit(self, body: Mapping[str, Any], capacity: int) -> None:
        """Raise Azure's error if this capacity, or new instances with this body, would be rejected."""
        is_single = body["properties"].get("singlePlacementGroup", False)
        limit = GROUP * max(1, len(self.placement.zones)) if is_single else LARGEST
        if capacity > limit:
            raise errors.too_many_instances(self.name, limit)
        self._require(self.model_of(body, revision=0).image, body)

    def change(self, body: Mapping[str, Any], *, cause: str) -> bool:
        """Store a new body, and return whether it starts a new revision of the model.

        Raises ArmError, and changes nothing, if the model is invalid. Every write resolves a bare gallery
        definition again. If the definition resolves to a newer version, instances are no longer on the latest
        model, as users have observed. The version `latest` of a platform image has no such effect.
        """
        is_same_image = storage_in(body) == (self.applied.profile.get("storageProfile") or {})
        image = self.newest(self.applied) if is_same_image else None
        model = self.model_of(body, revision=self.applied.revision, image=image)
        if model.image != self.applied.image:
            self._require(model.image, body)
        is_new = model.profile != self.applied.profile or (
            model.image != self.applied.image and model.image.kind != "platform"
        )
        if is_new and len(self._models) >= MODELS:
            raise errors.too_many_models(self.name, MODELS)
        self.body = body
        self.applied = model
        if is_new:
            self.outdate(cause)
        return is_new

    def begin(self, kind: str) -> Operation:
        """Start an operation. The scale set is Updating until all operations on it have ended."""
        operation = self.cloud.operations.start(kind, self.subscription, self.location)
        operation.when_ended.append(self._settle)
        self.running.append(operation)
        operation.wait("itself", NOTHING_TO_DO)
        return operation

    def refuse_haste(self) -> None:
        """Raise Azure's 409 if a write follows the previous operation too soon."""
        since = self.cloud.clock.now() - self.settled_at
        if self.settled_at > self.created and since < self.cloud.timings.conflict:
            raise errors.conflict()

    def bump(self) -> None:
        self.etag += 1

    def seed(self, capacity: int, ids: Sequence[str] = ()) -> None:
        """Create the scale set's initial instances, in a settled state.

        `ids` are numbers, or names in a Flexible scale set. By default, instances are numbered from 0.
        """
        for position, given in enumerate(ids or map(str, range(self.allocatable(capacity)))):
            is_name = self.is_flexible and bool(ids)
            self.next_number = position if is_name else int(given)
            self.add_instance(self.next_number, given if is_name else None).created -= AGE
        self.next_number = max((each.number for each in self.instances.values()), default=-1) + 1
        self.capacity = capacity

    def attach(self, name: str, image: str | None) -> Instance:
        """Add a manually created virtual machine. If `image` is None, the machine has a bare disk."""
        storage: Mapping[str, Any] = {
            "osDisk": {"osType": "Linux", "createOption": "Attach", "diskSizeGB": 30}
        }
        found = NO_IMAGE
        if image is not None:
            self.cloud.catalogue.publish(image)
            storage = merge(storage, storage_of(image))
            found = self.cloud.catalogue.find(storage, self.location)
        applied = Applied(self.applied.revision, {"storageProfile": storage}, found, "none")
        number, slot = self.next_number, next(self.free_slots())
        self.next_number += 1
        instance = Instance(self, number, name, slot=slot, applied=applied, at=self.cloud.clock.now())
        instance.is_attached = True
        self.instances[name] = instance
        self.capacity += 1
        return instance

    def remove(self) -> Operation:
        """Delete the scale set with its instances.

        If the scale set is already being deleted, return the running operation.
        """
        if self.is_deleting:
            return self.running[-1]
        operation = self.begin("delete")
        self.is_deleting = True
        for instance in list(self.instances.values()):
            instance.run("delete", cause="delete", operation=operation)
        operation.when_ended.append(self._notify_deletion)
        return operation

    def find(self, ids: Iterable[str]) -> list[Instance] | str:
        """Return the instances with these ids ("*" for all), or the first id that does not exist."""
        wanted = list(ids)
        if "*" in wanted:
            return list(self.instances.values())
        missing = next((each for each in wanted if each not in self.instances), None)
        return missing if missing is not None else [self.instances[each] for each in dict.fromkeys(wanted)]

    def allocatable(self, capacity: int) -> int:
        """Return how many of `capacity` instances Azure can allocate."""
        return capacity if self.allocation_limit is None else min(capacity, self.allocation_limit)

    def free_slots(self) -> Iterator[int]:
        """Yield the free slots for new instances, lowest first. This order balances zones and domains."""
        taken = {each.slot for each in self.instances.values()}
        return (slot for slot in count() if slot not in taken)

    def add_instance(self, slot: int, name: str | None = None) -> Instance:
        """Add an instance. An instance without a `name` gets an id that has never been used before."""
        number = self.next_number
        self.next_number += 1
        usual = f"{self.name}_{guid(self.id, number)[:8]}" if self.is_flexible else str(number)
        instance_id = name or usual
        instance = Instance(
            self, number, instance_id, slot=slot, applied=self.applied, at=self.cloud.clock.now()
        )
        self.instances[instance_id] = instance
        return instance

    @property
    def _models(self) -> frozenset[int]:
        """The revisions of the model that instances are on, except manually attached instances."""
        return frozenset(each.applied.revision for each in self.instances.values() if not each.is_attached)

    @property
    def _silent_kinds(self) -> frozenset[str]:
        """The kinds of operations during which the scale set does not report Updating."""
        is_silent = self.cloud.provisioning_state_during_upgrade == "Succeeded"
        return frozenset({"manualupgrade"}) if is_silent else frozenset()

    def _require(self, image: Image, body: Mapping[str, Any]) -> None:
        """Raise Azure's error if new instances with this body cannot use the image."""
        if image.kind == "none":
            return
        catalogue = self.cloud.catalogue
        catalogue.admit(image, self.location)
        require_fit(catalogue.details(image.name), body, self.id)

    def _notify_deletion(self, _: Operation) -> None:
        for callback in self.when_deleted:
            callback(self)

    def _settle(self, operation: Operation) -> None:
        self.running.remove(operation)
        self.failed = operation.status == "Failed" and not _was_preempted(operation.error)
        self.settled_at = self.cloud.clock.now()


def _was_preempted(error: ArmError | None) -> bool:
    return error is not None and error.code == "OperationPreempted"
