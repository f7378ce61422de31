"""One instance: its state, the model that it runs, and its current transition.

An instance changes state only by entering a `Stage` (`enter`), which also records when the instance becomes
unavailable or available. A `Transition` takes an instance through a course defined in `life.py`. A new
transition or a forced stage ends the previous transition, and notifies the operation that started the
previous one. Fleets are large, so instances have `__slots__` and share values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import Boots, Image
from reconciler.simulator.domains import Domain
from reconciler.simulator.errors import ArmError
from reconciler.simulator.faults import OperationKeepsImage
from reconciler.simulator.life import (
    COURSES,
    NO_EXTENSION,
    NO_REPORT,
    NOTICES,
    Course,
    Health,
    Power,
    Provisioning,
    ReportedPower,
    Stage,
    Verb,
)
from reconciler.simulator.merge import merge
from reconciler.simulator.model import Applied, Model
from reconciler.simulator.operations import Operation
from reconciler.simulator.planned import health_grace, notice_period
from reconciler.simulator.record import Event, EventKind, InstanceSnapshot, InstanceStatus


@dataclass(slots=True, eq=False, kw_only=True)
class Owner(Model):
    """The part of a scale set that its instances use. Each change to an instance calls `when_changed`."""

    instances: dict[str, Instance] = field(default_factory=dict)
    when_changed: list[Callable[[Instance], None]] = field(default_factory=list)


class Instance:
    """One instance of a scale set.

    Other code can read every attribute, but only `enter`, `run` and `force` change the state.
    """

    __slots__ = (
        "applied", "cause", "changed", "created", "custom_metrics", "disks", "domain", "etag", "failure",
        "has_own_model", "has_protection_policy", "health", "health_changed", "id", "is_attached",
        "is_silent", "is_unavailable", "number", "owner", "power", "protected", "protected_from_scale_in",
        "provisioning", "reported_power", "slot", "spoiled", "transition",
    )  # fmt: skip

    def __init__(
        self, owner: Owner, number: int, instance_id: str, *, slot: int, applied: Applied, at: datetime
    ) -> None:
        self.owner = owner
        self.number = number
        self.id = instance_id
        self.slot = slot
        self.domain: Domain = owner.placement.of(slot)
        self.applied = applied
        self.provisioning: Provisioning = "succeeded"
        self.power: Power = "running"
        self.health: Health = "healthy"
        self.created = self.changed = self.health_changed = at
        self.etag = 1
        self.protected = False
        self.protected_from_scale_in = False
        self.has_protection_policy = False
        # The instance's own data disks; None while it has those of the model.
        self.disks: list[Mapping[str, Any]] | None = None
        # What Azure reports instead of the real state of the instance.
        self.has_own_model = False
        self.is_attached = False
        self.is_silent = False
        self.reported_power: ReportedPower | None = None
        self.custom_metrics: Mapping[str, Any] | None = None
        # How the instance boots on every image except the named one.
        self.spoiled: tuple[Boots, str] | None = None
        self.failure = ""
        self.cause = ""
        self.is_unavailable = False
        self.transition: Transition | None = None

    @property
    def is_current(self) -> bool:
        """Whether the instance is on the latest model, as Azure reports it (`latestModelApplied`).

        A manually attached machine always counts as being on the latest model.
        """
        return self.is_attached or self.applied.revision == self.owner.applied.revision

    @property
    def is_busy(self) -> bool:
        """Whether an operation is making progress on this instance.

        If the instance never boots, the operation makes no progress and can be preempted.
        """
        return (
            self.transition is not None
            and self.transition.operation is not None
            and not self.transition.is_over
        )

    @property
    def serves(self) -> bool:
        """Whether the instance runs, has not failed, and is healthy if it has a health source."""
        is_healthy = self.applied.health == "none" or self.health == "healthy"
        return is_healthy and self.power == "running" and self.provisioning in ("succeeded", "updating")

    @property
    def snapshot(self) -> InstanceSnapshot:
        return InstanceSnapshot(
            self._status,
            self.domain,
            self.applied.image.name,
            is_behind=not self.is_current,
            is_protected=self.protected,
        )

    def run(
        self, verb: Verb, *, cause: str, operation: Operation | None, target: Applied | None = None
    ) -> None:
        """Start the course of `verb`. `operation` is notified when the course ends.

        `target` is the model that the instance gets if the course replaces its model. If `operation` is lost,
        nothing happens.
        """
        if operation is not None and operation.is_lost:
            return
        destination = target or self.applied
        if operation is not None and operation.keeps_image is not None:
            destination = self._keep_image(destination, operation.keeps_image)
        course = COURSES[verb, self._boots(destination.image)]
        if verb in NOTICES and notice_period(verb, self.applied.profile):
            first, *others = course
            course = (NOTICES[verb], replace(first, after="notice"), *others)
        self._end_transition(errors.preemption_error())
        if operation is not None:
            operation.expect(self.id)
        self.transition = Transition(self, verb, course, target=destination, cause=cause, operation=operation)
        self.transition.proceed()

    def force(self, stage: Stage, cause: str) -> None:
        """Enter `stage` immediately, outside of any operation, and end the running transition.

        If an operation is in progress, a stage that changes only the health does not end the transition.
        """
        if not (stage.is_of_health_only and self.is_busy):
            self._end_transition(_no_report(self))
        self.enter(stage, cause=cause, target=self.applied)

    def enter(self, stage: Stage, *, cause: str, target: Applied) -> None:
        """Apply `stage` and record its effects."""
        now = self.owner.cloud.clock.now()
        if stage.swap:
            swapped = self.applied.image != target.image
            self.applied = target
            self.has_own_model = False
            if swapped or cause == "reimage":
                self._record_event("upgraded", cause)
        if stage.provisioning is not None:
            self.provisioning, self.changed = stage.provisioning, now
            self.failure = self._code_of_failure() if stage.provisioning == "failed" else ""
            self.etag += 1
        if stage.power is not None:
            self.power = stage.power
        if stage.health is not None:
            self.is_silent = False
        if stage.health is not None and stage.health != self.health:
            self.health, self.health_changed = stage.health, now
        self._record_availability(cause)
        self._notify()
        if stage.gone:
            self.owner.instances.pop(self.id, None)
            self._record_event("deleted", cause)

    def protect(self, *, from_actions: bool, from_scale_in: bool) -> None:
        """Set the protection. After both protections are removed, Azure still shows a protection policy."""
        self.protected, self.protected_from_scale_in = from_actions, from_scale_in
        self.has_protection_policy = True

    def note_creation(self) -> None:
        self._record_event("created", "create")

    def put_on(self, storage: Mapping[str, Any], *, is_current: bool) -> None:
        """Switch immediately to the image in a `storageProfile` fragment, regardless of the model."""
        model = self.owner.applied
        profile = merge(model.profile, {"storageProfile": storage})
        image = self.owner.cloud.catalogue.find(profile["storageProfile"], self.owner.location)
        revision = model.revision if is_current else model.revision - 1
        self.applied = Applied(revision, profile, image, model.health)

    def put_behind(self) -> None:
        """Mark the instance as being on the previous revision of the model. Nothing else changes."""
        self.applied = replace(self.applied, revision=self.owner.applied.revision - 1)

    def backdate(self, age: timedelta) -> None:
        """Set how long the instance has been in its current state."""
        self.changed = self.health_changed = self.owner.cloud.clock.now() - age

    def settle(self, *, cause: str) -> None:
        """Record whether the instance is serving, after a change that involved no stage."""
        self._record_availability(cause)
        self._notify()

    def _keep_image(self, target: Applied, fault: OperationKeepsImage) -> Applied:
        """Return the model that the instance has after an upgrade to `target` that keeps the image."""
        return replace(target, image=self.applied.image) if fault.latest_model_applied else self.applied

    @property
    def _status(self) -> InstanceStatus:
        if self.provisioning == "deleting":
            return "deleting"
        if self.power in ("deallocating", "deallocated"):
            return "deallocated"
        return "serving" if self.serves else "unavailable"

    def _boots(self, image: Image) -> Boots:
        if self.spoiled is not None and self.spoiled[1] != image.name:
            return self.spoiled[0]
        return self.owner.cloud.catalogue.boots(image)

    def _code_of_failure(self) -> str:
        return NO_EXTENSION if self._boots(self.applied.image) == "extensionFails" else NO_REPORT

    def _end_transition(self, error: ArmError) -> None:
        transition, self.transition = self.transition, None
        if transition is not None and transition.operation is not None:
            transition.operation.complete(self.id, error)

    def _record_availability(self, cause: str) -> None:
        if self.is_unavailable != self.serves:
            return
        self.is_unavailable = not self.serves
        if self.is_unavailable:
            self.cause = cause
        self._record_event("unavailable" if self.is_unavailable else "available", self.cause)

    def _notify(self) -> None:
        for callback in self.owner.when_changed:
            callback(self)

    def _record_event(self, kind: EventKind, cause: str) -> None:
        owner = self.owner
        now = owner.cloud.clock.now()
        owner.cloud.record.add(
            Event(now, kind, owner.name, self.id, self.domain, cause, owner.group, owner.subscription)
        )


class Transition:
    """The progress of an instance through a course, which is a sequence of stages (see `life`)."""

    __slots__ = ("cause", "course", "instance", "operation", "position", "target", "verb")

    def __init__(
        self,
        instance: Instance,
        verb: Verb,
        course: Course,
        *,
        target: Applied,
        cause: str,
        operation: Operation | None,
    ) -> None:
        self.instance = instance
        self.verb = verb
        self.course = course
        self.target = target
        self.cause = cause
        self.operation = operation
        self.position = 0

    @property
    def is_over(self) -> bool:
        return self.position == len(self.course)

    def proceed(self) -> None:
        """Enter the stage that is due and schedule the next one.

        Does nothing if another transition has replaced this one.
        """
        instance = self.instance
        if instance.transition is not self:
            return
        stage = self.course[self.position]
        self.position += 1
        instance.enter(stage, cause=self.cause, target=self.target)
        if not self.is_over:
            instance.owner.cloud.clock.after(self._wait(self.course[self.position]), self.proceed)
        if stage.ends and self.operation is not None:
            operation, self.operation = self.operation, None
            operation.complete(instance.id, None if stage.ends == "succeeded" else _failure(instance))
        if self.is_over and self.operation is None and instance.transition is self:
            instance.transition = None

    def _wait(self, stage: Stage) -> timedelta:
        """Return the time to wait before the stage.

        Bad health is visible only after the grace period of the health extension.
        """
        profile = self.instance.applied.profile
        if stage.after == "notice":
            return notice_period(self.verb, profile)
        usual = self.instance.owner.cloud.timings.of(stage.after)
        is_bad = stage.health in ("unhealthy", "unknown") and stage.is_of_health_only
        return max(usual, health_grace(profile)) if is_bad else usual


def _failure(instance: Instance) -> ArmError:
    if instance.failure != NO_EXTENSION:
        return _no_report(instance)
    extensions = (instance.applied.profile.get("extensionProfile") or {}).get("extensions") or [{}]
    name = extensions[-1].get("name", "config-app")
    return errors.extension_failed(name)


def _no_report(instance: Instance) -> ArmError:
    message = (
        f"VM '{instance.owner.name}_{instance.id}' has not reported status for VM agent or extensions. "
        "Verify that the OS is up and healthy, the VM has a running VM agent, and that it can establish "
        "outbound connections to Azure storage."
    )
    return ArmError(409, NO_REPORT, message)
