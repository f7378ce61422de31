"""What was seen of one scale set at one moment, in our words and frozen.

Every fact costs a request and is looked at only when the decision asks for it (`Need`): the scale set, its
instances, whether Azure runs a rolling upgrade of its own, what the catalogue says of the image, what
became of the last operation that was asked for, who wrote what is declared and what was declared before, and
what the gates outside of this scale set say. None always means not looked at, which is not the same as empty.
Azure's state words ("Succeeded", "PowerState/running") are kept, folded to lower case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.step import Attempt
from reconciler.rollout.traits import Plan, Traits
from reconciler.spec.author import Author
from reconciler.spec.image import Image, same

# How long what was read stands for what is. A row of a list may wait for its turn among a thousand: older
# than this it is good enough to do nothing on, and not to act on.
FRESH = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class ReadTime:
    """When a fact was read: its first page was asked for at `began`, the last one came at `ended`."""

    began: datetime
    ended: datetime


class HealthSource(StrEnum):
    """Where the health of an instance comes from; Azure allows one."""

    EXTENSION = "Application Health extension"
    PROBE = "load balancer probe"
    NONE = "none"


class Need(StrEnum):
    """A fact that the decision needs and that has not been looked at yet."""

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
    """Azure says that there is no such scale set."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Model:
    """The scale set itself: "GET virtualMachineScaleSets/N", or a row of a list of them."""

    id: str  # folded: lists of a subscription give the resource group in capitals
    location: str  # "westeurope"
    etag: str
    image: Image | None  # None: Azure sent no image, or one of a kind that we do not know
    capacity: int
    provisioning: str
    mode: str  # upgradePolicy.mode; "" where Azure sent none
    orchestration: str
    automatic_os_upgrade: bool
    service_fabric: bool
    health_source: HealthSource
    owner: str = ""  # the controller of somebody else's that made it, in words
    has_profile: bool = True  # without one, Azure makes no instances of it: a Flexible set may be so
    health_grace: timedelta = timedelta()  # the Application Health extension's "gracePeriod"
    os_image_notice: timedelta = timedelta()  # how long Azure warns an instance before it upgrades it
    terminate_notice: timedelta = timedelta()  # and before it deletes it
    is_spot: bool = False
    eviction_policy: str = ""  # "Deallocate" or "Delete"
    disk_size: int | None = None  # of the OS disk, in GB
    security_type: str = ""  # "TrustedLaunch", "ConfidentialVM"; "" is Standard
    plan: Plan | None = None
    tags: Mapping[str, str] = field(default_factory=dict)  # everybody's, ours among them
    persisted: PersistedState = field(default_factory=PersistedState)

    @property
    def subscription(self) -> str:
        """The id of its subscription, folded."""
        return self.id.split("/")[2]

    @property
    def is_flexible(self) -> bool:
        """Whether its instances are virtual machines of their own."""
        return self.orchestration.casefold() == "flexible"


@dataclass(frozen=True, slots=True)
class Instance:
    """One row of "GET virtualMachineScaleSets/N/virtualMachines?$expand=instanceView"."""

    id: str  # a number; in Flexible orchestration the name of the virtual machine
    name: str
    image: Image | None  # what it runs: with its exactVersion, where Azure gives one
    latest_model: bool | None  # None: Azure does not say, as of a Flexible set
    provisioning: str  # "" where the row carries no such status
    power: str
    health: str
    has_health_extension: bool  # installed on this very instance, whatever the model says by now
    since: datetime | None  # when the provisioning state last changed; see `age` for one without a time
    created: datetime | None
    error: str  # what Azure says of a failed provisioning
    protected: bool  # protectFromScaleSetActions
    zone: str
    placement_group: str
    update_domain: int | None
    fault_domain: int | None
    has_own_model: bool = False  # "modelDefinitionApplied": changed by itself, which an upgrade takes away
    is_attached: bool = False  # a virtual machine that a person attached to a Flexible set
    generation: str = ""  # "V1" or "V2"
    upgrade_phase: int | None = None  # what its application says of its own upgrade: its place in the order,
    skips_upgrade: bool = False  # and whether it asks to be passed over
    health_since: datetime | None = None  # when Azure says that its health last changed
    state_since: datetime | None = None  # since when it is back, or is not, where that is later: see `age`
    relapses: int = 0  # how often it fell sick since `since`, as far as is known: see `age`

    def runs(self, image: Image) -> bool:
        """Whether Azure tells that it runs this one."""
        return self.image is not None and same(self.image, image)


@dataclass(frozen=True, slots=True)
class RollingUpgrade:
    """Azure's own rolling upgrade: "GET rollingUpgrades/latest"; `code` is "" when none ever ran."""

    code: str = ""

    @property
    def running(self) -> bool:
        """Whether Azure is moving instances by itself right now."""
        return self.code in {"RollingForward", "RollingBack"}


class Verdict(StrEnum):
    """Whether instances can be made from an image in a region."""

    AVAILABLE = "available"
    NOT_FOUND = "not found"
    NOT_REPLICATED = "not replicated"
    REPLICATING = "replicating"
    DEPRECATED = "deprecated"
    NO_LATEST = "no version for latest"
    UNCHECKED = "unchecked"  # it has no catalogue, or none that we can read; Azure checks by itself
    UNREADABLE = "unreadable"  # what `latest` is cannot be looked up


@dataclass(frozen=True, slots=True)
class Availability:
    """What the catalogue says of the desired image, in the region of the scale set.

    `image` is the exact one that is meant: of `latest` the newest, if there is one. `evidence` is what the
    verdict rests on, for people; "" where there is nothing to add. `traits` are those of the image, `current`
    those of the one that the model is on; None where the catalogue does not tell.
    """

    image: Image
    verdict: Verdict
    evidence: str = ""
    traits: Traits | None = None
    current: Traits | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What became of a long operation: Azure's status, and its code and message where it failed."""

    status: str  # "InProgress", "Succeeded", "Failed", "Canceled"; "" where Azure no longer knows it
    error: str = ""  # never "" where it failed

    @property
    def is_under_way(self) -> bool:
        """Whether Azure is at work on it still."""
        return self.status == "InProgress"

    @property
    def is_preempted(self) -> bool:
        """Whether a later operation took its place, and does what it was to do."""
        return self.error.startswith("OperationPreempted")


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at one scale set. `progress` is what the looks before this one have in common.

    It began at `began`, and `at` is when the last fact came. Those that a step rests on have their own times:
    what a list says of the model may be a while older. `last_need` is what was read last.
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
    authors: tuple[Author, ...] | None = None  # of the declared image; none of them: nobody can say
    was_declared: bool | None = None  # whether a commit has declared the last good image here
    gates: tuple[Gate, ...] | None = None
    lasting: tuple[Gate, ...] | None = None  # those that no time opens, and that cost no request
    last_need: Need | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def attempt(self) -> Attempt | None:
        """The last step that Azure accepted, None where there was none, or by another process."""
        return self.progress.attempt
