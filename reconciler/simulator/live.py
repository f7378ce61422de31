"""Changes that operators, Azure Policy, the platform and failures make to a scale set.

This module is for tests and demos. The changes use the same code as client requests, so they leave the same
record and look the same in responses. Each method holds the clock, so it can be called while servers and
clients are active.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reconciler.simulator.amend import amended_body, apply_body
from reconciler.simulator.catalogue import Boots, storage_of
from reconciler.simulator.clock import Clock
from reconciler.simulator.cloud import Group
from reconciler.simulator.domains import Domain
from reconciler.simulator.endpoints.actions import start_rolling_upgrade
from reconciler.simulator.flapping import Flapping
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import FORCED_STAGES, EvictedPower, ReportedPower, Verb
from reconciler.simulator.model import HealthSource
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.spot import evict


class LiveResourceGroup:
    def __init__(self, group: Group, clock: Clock) -> None:
        self._group = group
        self._clock = clock

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Merge these tags into the existing ones. A value of None removes the tag."""
        with self._clock.hold():
            merged = {**self._group.tags, **tags}
            self._group.tags = {name: value for name, value in merged.items() if value is not None}


class LiveScaleSet:
    def __init__(self, scale_set: ScaleSet) -> None:
        self._scale_set = scale_set
        self._clock = scale_set.cloud.clock

    @property
    def name(self) -> str:
        return self._scale_set.name

    @property
    def provisioning_state(self) -> str:
        with self._clock.hold():
            return self._scale_set.provisioning

    @property
    def capacity(self) -> int:
        with self._clock.hold():
            return self._scale_set.capacity

    @property
    def etag(self) -> str:
        """The etag with quotes, as in responses."""
        with self._clock.hold():
            return f'"{self._scale_set.etag}"'

    @property
    def tags(self) -> Mapping[str, str]:
        with self._clock.hold():
            return dict(self._scale_set.body.get("tags") or {})

    @property
    def image(self) -> str:
        """The name of the image that the model resolves to."""
        with self._clock.hold():
            return self._scale_set.applied.image.name

    @property
    def health(self) -> HealthSource:
        """The health source in the model of the scale set."""
        with self._clock.hold():
            return self._scale_set.applied.health

    @property
    def is_spot(self) -> bool:
        with self._clock.hold():
            return self._scale_set.profile.get("priority") == "Spot"

    @property
    def instances(self) -> tuple[LiveInstance, ...]:
        with self._clock.hold():
            scale_set = self._scale_set
            return tuple(LiveInstance(scale_set, instance) for instance in scale_set.instances.values())

    def instance(self, instance_id: str) -> LiveInstance:
        with self._clock.hold():
            return LiveInstance(self._scale_set, self._scale_set.instances[instance_id])

    def scale_to(self, capacity: int) -> None:
        """Set the capacity, as an autoscaler or an operator does."""
        self._write({"sku": {**self._scale_set.body["sku"], "capacity": capacity}})

    def add_extension(self, name: str, publisher: str, type: str) -> None:  # noqa: A002 - Azure's own word for it
        """Add an extension, as Azure Policy does. Afterwards, no instance is on the latest model."""
        with self._clock.hold():
            profile = self._scale_set.profile
            present = list((profile.get("extensionProfile") or {}).get("extensions") or [])
            properties = {
                "publisher": publisher,
                "type": type,
                "typeHandlerVersion": "1.0",
                "autoUpgradeMinorVersion": True,
            }
            extensions = [*present, {"name": name, "properties": properties}]
            self._write(
                {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": extensions}}}}
            )

    def set_mode(self, mode: str) -> None:
        self._write({"properties": {"upgradePolicy": {"mode": mode}}})

    def set_image(self, image: str) -> None:
        """Set the image of the model, as an operator does by hand."""
        self._write({"properties": {"virtualMachineProfile": {"storageProfile": storage_of(image)}}})

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Merge these tags into the existing ones. A value of None removes the tag."""
        self._write({"tags": dict(tags)})

    def start_rolling_upgrade(self) -> None:
        with self._clock.hold():
            start_rolling_upgrade(self._scale_set)

    def report(self, state: str | None) -> None:
        """Make the scale set report this provisioning state. With None, it reports its real state again."""
        with self._clock.hold():
            self._scale_set.reported_state = state

    def report_field(self, name: str, value: Any) -> None:
        """Make Azure report this value for a top-level field, such as `sku` or `managedBy`."""
        with self._clock.hold():
            self._scale_set.reported[name] = value

    def limit_allocation(self, instances: int | None) -> None:
        """Limit the number of instances for which Azure has capacity. None removes the limit."""
        with self._clock.hold():
            self._scale_set.allocation_limit = instances

    def attach(self, name: str, image: str | None = None) -> LiveInstance:
        """Attach a machine to a Flexible scale set. Without an image, the machine has a bare disk."""
        with self._clock.hold():
            return LiveInstance(self._scale_set, self._scale_set.attach(name, image))

    def bump_etag(self) -> None:
        """Increment the etag without any visible change, as the platform does."""
        with self._clock.hold():
            self._scale_set.bump()

    def delete(self) -> None:
        with self._clock.hold():
            self._scale_set.remove()

    def _write(self, change: Mapping[str, Any]) -> None:
        with self._clock.hold():
            apply_body(self._scale_set, amended_body(self._scale_set, change, whole=False), kind="patch")


class LiveInstance:
    def __init__(self, scale_set: ScaleSet, instance: Instance) -> None:
        self._scale_set = scale_set
        self._instance = instance
        self._clock = scale_set.cloud.clock

    @property
    def id(self) -> str:
        return self._instance.id

    @property
    def domain(self) -> Domain:
        return self._instance.domain

    @property
    def image(self) -> str:
        with self._clock.hold():
            return self._instance.applied.image.name

    @property
    def state(self) -> tuple[str, str, str]:
        """The provisioning state, power state and health, in Azure's terms."""
        with self._clock.hold():
            return (self._instance.provisioning, self._instance.power, self._instance.health)

    @property
    def is_current(self) -> bool:
        with self._clock.hold():
            return self._instance.is_current

    @property
    def is_protected(self) -> bool:
        """Whether the instance is protected from scale set actions."""
        with self._clock.hold():
            return self._instance.protected

    def fail(self) -> None:
        """Set the provisioning state to failed, the power state to running, and the health to unknown."""
        self._force("fail")

    def sicken(self) -> None:
        """Make the instance unhealthy. Without a health source, the change is not visible."""
        self._force("unhealthy")

    def heal(self) -> None:
        """Set the provisioning state to succeeded, the power state to running, and the health to healthy."""
        self._force("heal")

    def deallocate(self) -> None:
        self._run("deallocate")

    def start(self) -> None:
        self._run("start")

    def protect(self, *, is_protected: bool = True) -> None:
        """Protect the instance from scale set actions and from scale-in, or remove both protections."""
        with self._clock.hold():
            self._instance.protect(from_actions=is_protected, from_scale_in=is_protected)
            self._instance.etag += 1

    def silence(self) -> None:
        """Stop health reports until the instance boots again or its health is set."""
        with self._clock.hold():
            self._instance.is_silent = True

    def report_power(self, power: ReportedPower | None) -> None:
        """Override the reported power state: "none" omits the state, and None restores the real state."""
        with self._clock.hold():
            self._instance.reported_power = power

    def give_own_model(self) -> None:
        """Give the instance its own model until its next upgrade, as a change to a single instance does."""
        with self._clock.hold():
            self._instance.has_own_model = True
            self._instance.etag += 1

    def report_metrics(self, metrics: Mapping[str, Any] | None) -> None:
        """Set the metrics that the application sends through Application Health 2.0.

        Metrics have the form {"rollingUpgrade": {...}}.
        """
        with self._clock.hold():
            self._instance.custom_metrics = metrics

    def evict(self, power: EvictedPower | None = None) -> None:
        """Evict the spot instance.

        `power` is the power state after the eviction. The default is the scale set's `evicted_power`. With
        the eviction policy Delete, the instance is removed instead.
        """
        with self._clock.hold():
            evict(self._scale_set, self._instance, power)

    def recover(self) -> None:
        """Make the instance healthy. Nothing else changes."""
        self._force("recover")

    def flap(self, healthy: timedelta, unhealthy: timedelta) -> Flapping:
        """Make the health alternate until `end` is called on the returned `Flapping`."""
        with self._clock.hold():
            flapping = Flapping(self._instance, healthy, unhealthy)
            flapping.begin()
            return flapping

    def spoil(self, boots: Boots) -> None:
        """Set how the instance boots on every image except the one that it runs now."""
        with self._clock.hold():
            self._instance.spoiled = (boots, self._instance.applied.image.name)

    def apply_image(self, image: str) -> None:
        """Switch the instance to another image immediately. Afterwards, it is not on the latest model."""
        with self._clock.hold():
            self._instance.put_on(storage_of(image), is_current=False)

    def _force(self, name: str) -> None:
        with self._clock.hold():
            self._instance.force(FORCED_STAGES[name], name)

    def _run(self, verb: Verb) -> None:
        with self._clock.hold():
            operation = self._scale_set.begin(verb)
            self._instance.run(verb, cause=verb, operation=operation)
