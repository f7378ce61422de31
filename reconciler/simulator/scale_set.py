"""One scale set: its model, its instances, and what is being done to it.

`body` is what clients write and read back, in the wire's own words (sku, tags, zones, identity,
properties), replaced whole and never changed in place. `applied` is the model that new and upgraded
instances get; its revision counts every change of what an instance would become, so an instance with an
older revision is one that Azure reports as not on the latest model. Changing the model back counts as a
change too: whether Azure then calls untouched instances current again is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.simulator.domains import Placement, guid
from reconciler.simulator.errors import ArmError
from reconciler.simulator.instance import Applied, HealthSource, Instance
from reconciler.simulator.operations import Operation
from reconciler.simulator.record import Event
from reconciler.simulator.timings import NOTHING_TO_DO

if TYPE_CHECKING:
    from reconciler.simulator.cloud import Cloud
    from reconciler.simulator.rolling import RollingUpgrade

HEALTH_EXTENSIONS = ("applicationhealthlinux", "applicationhealthwindows")


class ScaleSet:
    __slots__ = (
        "applied", "body", "capacity", "cloud", "created", "etag", "failed", "group", "instances",
        "is_deleting", "location", "name", "next_number", "placement", "rolling", "running",
        "settled_at", "subscription",
    )  # fmt: skip

    def __init__(
        self,
        cloud: Cloud,
        *,
        subscription: str,
        group: str,
        name: str,
        location: str,
        body: Mapping[str, Any],
        placement: Placement,
    ) -> None:
        self.cloud = cloud
        self.subscription = subscription
        self.group = group
        self.name = name
        self.location = location
        self.placement = placement
        self.body = body
        self.capacity = 0
        self.etag = 1
        self.created = self.settled_at = cloud.clock.now()
        self.instances: dict[str, Instance] = {}
        self.next_number = 0
        self.running: list[Operation] = []
        self.rolling: RollingUpgrade | None = None
        self.failed = False
        self.is_deleting = False
        self.applied = self.model_of(body, revision=1)

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.Compute/virtualMachineScaleSets/{self.name}"
        )

    @property
    def unique_id(self) -> str:
        return guid("scaleSet", self.id)

    @property
    def profile(self) -> Mapping[str, Any]:
        profile: Mapping[str, Any] = self.body["properties"]["virtualMachineProfile"]
        return profile

    @property
    def policy(self) -> Mapping[str, Any]:
        return self.body["properties"].get("upgradePolicy") or {}

    @property
    def mode(self) -> str:
        return str(self.policy.get("mode", "Manual"))

    @property
    def is_flexible(self) -> bool:
        return self.placement.flexible

    @property
    def provisioning(self) -> str:
        if self.is_deleting:
            return "Deleting"
        if self.running:
            return "Creating" if any(operation.kind == "create" for operation in self.running) else "Updating"
        return "Failed" if self.failed else "Succeeded"

    @property
    def outdated(self) -> list[Instance]:
        return [instance for instance in self.instances.values() if not instance.is_current]

    def model_of(self, body: Mapping[str, Any], *, revision: int) -> Applied:
        """The model that `body` describes. Raises ArmError when its image is not there."""
        profile = body["properties"]["virtualMachineProfile"]
        image = self.cloud.catalogue.resolve(profile.get("storageProfile") or {})
        return Applied(revision, profile, image, health_source(profile))

    def change(self, body: Mapping[str, Any], *, cause: str) -> bool:
        """Take a new model.

        Returns whether instances are behind it now. Raises ArmError, and changes nothing, if it is not
        valid.
        """
        model = self.model_of(body, revision=self.applied.revision + 1)
        is_new = (model.profile, model.image) != (self.applied.profile, self.applied.image)
        self.body = body
        if is_new:
            self.applied = model
            self.cloud.record.add(
                Event(self.cloud.clock.now(), "model", self.name, None, None, cause, self.group)
            )
        return is_new

    def begin(self, kind: str) -> Operation:
        """Start an operation on this scale set: it is Updating until every such operation has ended."""
        operation = self.cloud.operations.start(kind, self.subscription, self.location)
        operation.when_ended.append(self._settle)
        self.running.append(operation)
        operation.wait("itself", NOTHING_TO_DO)
        return operation

    def bump(self) -> None:
        self.etag += 1

    def seed(self, capacity: int, ids: Sequence[str] = ()) -> None:
        """Be there with these instances, settled, with no life before.

        `ids` in order, where not 0 to capacity - 1.
        """
        for number in range(capacity):
            self.next_number = int(ids[number]) if ids else number
            self._new_instance()
        self.capacity = capacity

    def scale(self, capacity: int, operation: Operation | None) -> None:
        """Create or delete instances until there are `capacity`.

        Scaling in takes the highest ids, protected ones never.
        """
        staying = [instance for instance in self.instances.values() if instance.provisioning != "deleting"]
        for _ in range(len(staying), capacity):
            instance = self._new_instance()
            instance.note_creation()
            instance.send("create", cause="create", operation=operation)
        free = [
            instance for instance in staying if not (instance.protected or instance.protected_from_scale_in)
        ]
        surplus = max(0, len(staying) - capacity)
        for instance in free[len(free) - surplus :] if surplus else ():
            instance.send("delete", cause="delete", operation=operation)
        self.capacity = capacity

    def remove(self) -> Operation:
        """Delete it, instances and all. Deleting it again returns the operation that is deleting it."""
        if self.is_deleting:
            return self.running[-1]
        operation = self.begin("delete")
        self.is_deleting = True
        for instance in list(self.instances.values()):
            instance.send("delete", cause="delete", operation=operation)
        operation.when_ended.append(lambda _: self.cloud.remove(self))
        return operation

    def reimaged(self, instance: Instance) -> Applied:
        """What a reimage makes of an instance: its own model, with `latest` the newest there is now.

        Field reports say so; the SDK's documentation says the version stays.
        """
        applied = instance.applied
        if not applied.image.follows_latest:
            return applied
        image = self.cloud.catalogue.resolve(applied.profile.get("storageProfile") or {})
        return replace(applied, image=image)

    def find(self, ids: Iterable[str]) -> list[Instance] | str:
        """The instances with these ids, all for "*"; or the first id that is not an instance."""
        wanted = list(ids)
        if "*" in wanted:
            return list(self.instances.values())
        missing = next((each for each in wanted if each not in self.instances), None)
        return missing if missing is not None else [self.instances[each] for each in dict.fromkeys(wanted)]

    def _new_instance(self) -> Instance:
        number = self.next_number
        self.next_number += 1
        instance_id = f"{self.name}_{guid(self.id, number)[:8]}" if self.is_flexible else str(number)
        instance = Instance(self, number, instance_id, self.applied, self.cloud.clock.now())
        self.instances[instance_id] = instance
        return instance

    def _settle(self, operation: Operation) -> None:
        self.running.remove(operation)
        self.failed = operation.status == "Failed" and not _was_preempted(operation.error)
        self.settled_at = self.cloud.clock.now()


def health_source(profile: Mapping[str, Any]) -> HealthSource:
    """Where the health of instances on this `virtualMachineProfile` comes from."""
    extensions = (profile.get("extensionProfile") or {}).get("extensions") or []
    types = {str((extension.get("properties") or {}).get("type", "")).lower() for extension in extensions}
    if types.intersection(HEALTH_EXTENSIONS):
        return "extension"
    return "probe" if (profile.get("networkProfile") or {}).get("healthProbe") else "none"


def _was_preempted(error: ArmError | None) -> bool:
    return error is not None and error.code == "OperationPreempted"
