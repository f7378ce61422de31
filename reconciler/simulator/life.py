"""The life cycle of an instance, as tables of stages.

A *course* is what one operation does to one instance: a sequence of stages. Each stage waits for a named
duration and then sets the states that Azure reports. Apart from courses, only forced stages (`FORCED_STAGES`)
change the provisioning state, power state and health of an instance. They take effect immediately. To add an
operation, add a route, and a row to `COURSES` for each way in which an image can boot.

The states are the suffixes of Azure's status codes: `ProvisioningState/updating`, `PowerState/stopping`,
`HealthState/healthy`. Every instance has a health state, but Azure reports it only if the instance's model
has a health source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from reconciler.simulator.catalogue import Boots

Provisioning = Literal["creating", "updating", "succeeded", "failed", "deleting"]
Power = Literal["starting", "running", "stopping", "stopped", "deallocating", "deallocated"]
# The power state in which an eviction leaves an instance that is not deleted.
EvictedPower = Literal["deallocated", "stopped"]
# What Azure can report instead of the power state: unknown, or no PowerState at all.
ReportedPower = Literal["unknown", "none"]
Health = Literal["initializing", "healthy", "unhealthy", "unknown"]
Verb = Literal[
    "create",
    "replace",
    "configure",
    "offline",
    "restart",
    "start",
    "poweroff",
    "deallocate",
    "delete",
    "refuse",
]
# Error codes of failed instances, as Azure appends them to `ProvisioningState/failed/`. Both were observed.
NO_REPORT = "VMAgentStatusCommunicationError"
NO_EXTENSION = "VMExtensionProvisioningError"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a course: wait for the timing `after`, then set every state that is not None.

    `after` is "" for no wait, and "notice" for the notice period that the model defines. With `swap`, the
    instance runs the image and model of the transition's target from this stage on. `ends` is set if this
    stage completes the operation for the instance, successfully or not. With `gone`, the instance is deleted.
    """

    after: str
    provisioning: Provisioning | None = None
    power: Power | None = None
    health: Health | None = None
    swap: bool = False
    ends: Literal["succeeded", "failed"] | None = None
    gone: bool = False

    @property
    def is_of_health_only(self) -> bool:
        return self.provisioning is None and self.power is None and not self.gone


Course = tuple[Stage, ...]

STOP = Stage("", "updating", "stopping")
DISK = Stage("upgrade", power="starting")
BOOTED = Stage("boot", "succeeded", "running", "initializing", swap=True, ends="succeeded")
BOOT_FAILED = Stage("boot", "failed", "running", "unknown", swap=True, ends="failed")
BOOTED_WITHOUT_EXTENSION = Stage("boot", "failed", "running", "initializing", swap=True, ends="failed")
HEALTHY = Stage("health", health="healthy")
UNHEALTHY = Stage("health", health="unhealthy")
# The application does not respond to the health extension. Version 1 then reports nothing; version 2 reports
# unknown.
HEALTH_UNKNOWN = Stage("health", health="unknown")

RESTARTING = Stage("", "updating", "stopping")
STARTING = Stage("", "updating", "starting")
RUNNING_AGAIN = Stage("boot", "succeeded", "running", "initializing", ends="succeeded")
START_FAILED = Stage("boot", "failed", "running", "unknown", ends="failed")

RUNNING_WITHOUT_EXTENSION = Stage("boot", "failed", "running", "initializing", ends="failed")

CREATING = Stage("", "creating", "starting")
CREATED = Stage("create", "succeeded", "running", "initializing", ends="succeeded")
CREATED_WITHOUT_EXTENSION = Stage("create", "failed", "running", "initializing", ends="failed")
CREATE_FAILED = Stage("create", "failed", "running", "unknown", ends="failed")

_FOR_EVERY_IMAGE: Mapping[Verb, Course] = {
    # A model change without a new image (an extension, an identity): the instance keeps running.
    "configure": (Stage("", "updating"), Stage("model", "succeeded", swap=True, ends="succeeded")),
    # An upgrade or reimage of an instance that is not running: its disk is replaced, and it stays down.
    "offline": (Stage("", "updating"), Stage("upgrade", "succeeded", swap=True, ends="succeeded")),
    "poweroff": (
        Stage("", "updating", "stopping"),
        Stage("boot", "succeeded", "stopped", "unknown", ends="succeeded"),
    ),
    "deallocate": (
        Stage("", "updating", "deallocating"),
        Stage("boot", "succeeded", "deallocated", "unknown", ends="succeeded"),
    ),
    "delete": (Stage("", "deleting", "stopping"), Stage("boot", ends="succeeded", gone=True)),
    # The operation fails on the platform's side before it replaces the disk.
    "refuse": (Stage("", "updating"), Stage("model", "failed", ends="failed")),
}

COURSES: Mapping[tuple[Verb, Boots], Course] = {
    ("replace", "well"): (STOP, DISK, BOOTED, HEALTHY),
    ("replace", "unhealthy"): (STOP, DISK, BOOTED, UNHEALTHY),
    ("replace", "silent"): (STOP, DISK, BOOTED, HEALTH_UNKNOWN),
    ("replace", "fails"): (STOP, DISK, BOOT_FAILED),
    ("replace", "never"): (STOP, DISK),
    ("replace", "extensionFails"): (STOP, DISK, BOOTED_WITHOUT_EXTENSION, HEALTHY),
    ("create", "well"): (CREATING, CREATED, HEALTHY),
    ("create", "unhealthy"): (CREATING, CREATED, UNHEALTHY),
    ("create", "silent"): (CREATING, CREATED, HEALTH_UNKNOWN),
    ("create", "fails"): (CREATING, CREATE_FAILED),
    ("create", "never"): (CREATING,),
    ("create", "extensionFails"): (CREATING, CREATED_WITHOUT_EXTENSION, HEALTHY),
    ("restart", "well"): (RESTARTING, RUNNING_AGAIN, HEALTHY),
    ("restart", "unhealthy"): (RESTARTING, RUNNING_AGAIN, UNHEALTHY),
    ("restart", "silent"): (RESTARTING, RUNNING_AGAIN, HEALTH_UNKNOWN),
    ("restart", "fails"): (RESTARTING, START_FAILED),
    ("restart", "never"): (RESTARTING,),
    ("restart", "extensionFails"): (RESTARTING, RUNNING_WITHOUT_EXTENSION, HEALTHY),
    ("start", "well"): (STARTING, RUNNING_AGAIN, HEALTHY),
    ("start", "unhealthy"): (STARTING, RUNNING_AGAIN, UNHEALTHY),
    ("start", "silent"): (STARTING, RUNNING_AGAIN, HEALTH_UNKNOWN),
    ("start", "fails"): (STARTING, START_FAILED),
    ("start", "never"): (STARTING,),
    ("start", "extensionFails"): (STARTING, RUNNING_WITHOUT_EXTENSION, HEALTHY),
    **{(verb, boots): course for verb, course in _FOR_EVERY_IMAGE.items() for boots in get_args(Boots)},
    # The extension runs again, and fails again.
    ("configure", "extensionFails"): (
        Stage("", "updating"),
        Stage("model", "failed", swap=True, ends="failed"),
    ),
}

# The first stage of an instance if its model makes Azure announce the event and wait for the guest.
NOTICES: Mapping[Verb, Stage] = {
    "replace": Stage("", "updating"),
    "delete": Stage("", "deleting"),
}

# Stages that are forced on an instance immediately, without an operation.
FORCED_STAGES: Mapping[str, Stage] = {
    "fail": Stage("", "failed", "running", "unknown"),
    "unhealthy": Stage("", health="unhealthy"),
    "heal": Stage("", "succeeded", "running", "healthy"),
    "recover": Stage("", health="healthy"),
    "evict": Stage("", "succeeded", "deallocated", "unknown"),
    # An eviction that stops the instance without deallocating it; some users have reported this.
    "evict to stopped": Stage("", "succeeded", "stopped", "unknown"),
    "remove": Stage("", gone=True),
}
