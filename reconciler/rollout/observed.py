"""What was observed of one scale set at one moment, as frozen values.

Every fact costs a request and is read only when the decision asks for it (`Need`): the scale set, its
instances, Azure's own rolling upgrade, the image in the catalogue, the last operation, the authors of the
declared image and earlier declarations, and the gates outside this scale set. None always means "not read",
never "empty". Azure's state words ("Succeeded", "PowerState/running") are kept in lower case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from reconciler.rollout.gate import Gate
from reconciler.rollout.pause import NOT_PAUSED, FleetPause
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.pick import Pick
from reconciler.rollout.progress import Progress
from reconciler.rollout.step import Attempt
from reconciler.rollout.traits import Plan, Traits
from reconciler.spec.author import Author
from reconciler.spec.image import Image, same

# How old a fact may be for a step to rest on it. A row of a list can wait behind a thousand others. If it is
# older than this, it is still good for a decision to do nothing.
FRESH = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class ReadTime:
    """When a fact was read: its first page was requested at `began`, and its last page arrived at `ended`."""

    began: datetime
    ended: datetime


class HealthSource(StrEnum):
    """Where the health of instances comes from. Azure allows one source per scale set."""

    EXTENSION = "Application Health extension"
    PROBE = "load balancer probe"
    NONE = "none"


class Need(StrEnum):
    """A fact that the decision needs and that has not been read yet."""

    MODEL = "model"
    INSTANCES = "instances"
    ROLLING_UPGRADE = "rolling upgrade"
    IMAGE = "image"
    ROLLBACK_TARGET = "rollback target"
    OPERATION = "operation"
    AUTHORS = "authors"
    HISTORY = "history"
    GATES = "gates"
    LASTING = "lasting gates"


class Absent(Enum):
    """Azure's answer that the scale set does not exist."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Model:
    """The scale set itself: "GET virtualMachineScaleSets/N", or an entry of the list."""

    id: str  # case-folded: lists of a subscription give the resource group in capitals
    location: str  # "westeurope"
    etag: str
    image: Image | None  # None: no image, or one of an unknown kind
    capacity: int
    provisioning: str
    mode: str  # upgradePolicy.mode; "" if Azure sent none
    orchestration: str
    automatic_os_upgrade: bool
    service_fabric: bool
    health_source: HealthSource
    owner: str = ""  # another controller that created the scale set, in words
    has_profile: bool = True  # a Flexible scale set can lack one: Azure then creates no instances of it
    health_grace: timedelta = timedelta()  # the Application Health extension's "gracePeriod"
    os_image_notice: timedelta = timedelta()  # how long Azure notifies an instance before its upgrade
    terminate_notice: timedelta = timedelta()  # how long Azure notifies an instance before its deletion
    is_spot: bool = False
    eviction_policy: str = ""  # "Deallocate" or "Delete"
    disk_size: int | None = None  # of the OS disk, in GB
    security_type: str = ""  # "TrustedLaunch", "ConfidentialVM"; "" is Standard
    plan: Plan | None = None
    tags: Mapping[str, str] = field(default_factory=dict)  # of all writers, including ours
    persisted: PersistedState = field(default_factory=PersistedState)

    @property
    def subscription(self) -> str:
        """The id of the subscription, case-folded."""
        return self.id.split("/")[2]

    @property
    def is_flexible(self) -> bool:
        """Whether the instances of the scale set are individual virtual machines."""
        return self.orchestration.casefold() == "flexible"


def id_order(id_: str) -> tuple[int, str]:
    """The sort key for an instance id.

    Most ids are numbers without leading zeros, so longer ids are larger.
    """
    return len(id_), id_


@dataclass(frozen=True, slots=True)
class Instance:
    """One entry of "GET virtualMachineScaleSets/N/virtualMachines?$expand=instanceView"."""

    id: str  # a number; in Flexible orchestration the name of the virtual machine
    name: str
    image: Image | None  # the image that it runs, with the exactVersion if Azure reports one
    latest_model: bool | None  # None: not reported, as in a Flexible scale set
    provisioning: str  # "" if the row has no such status
    power: str
    health: str
    has_health_extension: bool  # installed on this instance, whatever the model says now
    since: datetime | None  # when the provisioning state last changed; see `age` for one without a time
    created: datetime | None
    error: str  # of a failed provisioning
    protected: bool  # protectFromScaleSetActions
    zone: str
    placement_group: str
    update_domain: int | None
    fault_domain: int | None
    has_own_model: bool = False  # "modelDefinitionApplied": changed individually, which an upgrade reverts
    is_attached: bool = False  # a virtual machine that a person attached to a Flexible set
    generation: str = ""  # "V1" or "V2"
    upgrade_phase: int | None = None  # its position in the order of upgrades, reported by its application
    skips_upgrade: bool = False  # whether upgrades are to skip it, reported by its application
    health_since: datetime | None = None  # when its health last changed, by Azure's time
    state_since: datetime | None = None  # when it became healthy or unhealthy, if after `since`: see `age`
    relapses: int = 0  # how many times it became unhealthy since `since`, as far as known: see `age`

    def runs(self, image: Image) -> bool:
        """Whether Azure reports that the instance runs this image."""
        return self.image is not None and same(self.image, image)


@dataclass(frozen=True, slots=True)
class RollingUpgrade:
    """Azure's own rolling upgrade ("GET rollingUpgrades/latest"). `code` is "" if none has ever run."""

    code: str = ""

    @property
    def running(self) -> bool:
        return self.code in {"RollingForward", "RollingBack"}


class Verdict(StrEnum):
    """Whether instances can be created from an image in a region."""

    AVAILABLE = "available"
    NOT_FOUND = "not found"
    NOT_REPLICATED = "not replicated"
    REPLICATING = "replicating"
    DEPRECATED = "deprecated"
    NO_LATEST = "no version for latest"
    UNCHECKED = "unchecked"  # no catalogue can be read, so only Azure checks the image
    UNREADABLE = "unreadable"  # `latest` cannot be looked up


@dataclass(frozen=True, slots=True)
class Availability:
    """What the catalogue says about the desired image in the region of the scale set.

    `image` is the exact image: for `latest`, the newest version, if there is one. `evidence` explains the
    verdict, or is "" if there is nothing to add. `traits` are the traits of the desired image, and `current`
    those of the model's image. Either is None if the catalogue does not report it.
    """

    image: Image
    verdict: Verdict
    evidence: str = ""
    traits: Traits | None = None
    current: Traits | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation: Azure's status, and its error code and message if the operation failed."""

    status: str  # "InProgress", "Succeeded", "Failed", "Canceled"; "" if Azure no longer knows it
    error: str = ""  # never "" if it failed

    @property
    def is_under_way(self) -> bool:
        return self.status == "InProgress"

    @property
    def is_preempted(self) -> bool:
        """Whether a later operation replaced this one."""
        return self.error.startswith("OperationPreempted")


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation of one scale set. `progress` is derived from earlier observations.

    The observation began at `began`, and its last fact arrived at `at`. Each fact that a step depends on has
    its own times, because a model from a list can be older. `last_need` is the fact that was read last.
    """

    at: datetime
    began: datetime | None = None
    model: Model | Absent | None = None
    model_read: ReadTime | None = None
    instances: tuple[Instance, ...] | None = None
    instances_read: ReadTime | None = None
    rolling_upgrade: RollingUpgrade | None = None
    rolling_upgrade_read: ReadTime | None = None
    availability: Availability | None = None
    rollback_target: Availability | None = None
    operation: Operation | None = None
    authors: tuple[Author, ...] | None = None  # of the declared image; empty: unknown
    was_declared: bool | None = None  # whether a commit has declared the last good image here
    gates: tuple[Gate, ...] | None = None
    lasting: tuple[Gate, ...] | None = None  # gates that open at no set time and cost no request
    last_need: Need | None = None
    fleet_pause: FleetPause = NOT_PAUSED
    pick: Pick | None = None  # that is in force
    holder: str = ""  # of a claim: whose observation this is, "" for a daemon
    progress: Progress = field(default_factory=Progress)

    @property
    def attempt(self) -> Attempt | None:
        """The last step that Azure accepted from this process, or None."""
        return self.progress.attempt
