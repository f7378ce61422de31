"""What one spec declares about one scale set, typed and with every default filled in.

`ScaleSet` holds nothing that would still have to be looked up in another document: an image `ref` is
resolved when the files are read. Defaults live in the JSON Schema alone; this module has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.spec.amount import Amount
from reconciler.spec.check import Check
from reconciler.spec.fleet import Fleet
from reconciler.spec.image import Image
from reconciler.spec.problem import Place
from reconciler.spec.suspension import Suspension
from reconciler.spec.window import Window


@dataclass(frozen=True, slots=True)
class Target:
    """The scale set in Azure that a spec is about. Azure compares all three without regard to case."""

    subscription: str
    resource_group: str
    name: str

    @property
    def id(self) -> str:
        """The ARM resource id, in the casing of the spec."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/virtualMachineScaleSets/{self.name}"
        )

    @property
    def key(self) -> str:
        """The id folded, equal for two ways of writing the same scale set."""
        return self.id.casefold()


class By(StrEnum):
    """What a rollout goes by: the instances of one such domain at a time."""

    AUTO = "auto"
    UPDATE_DOMAIN = "updateDomain"
    ZONE = "zone"
    FAULT_DOMAIN = "faultDomain"
    BATCH = "batch"


class Converge(StrEnum):
    """What makes an instance up to date: its image, or also every other pending change of the model."""

    IMAGE = "image"
    MODEL = "model"


class OnFailure(StrEnum):
    """What becomes of a rollout whose upgraded instances do not come back in time."""

    HOLD = "hold"
    REPIN = "repin"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Canary:
    """The instances that go first: so many of the scale set, or those with these ids.

    No other is upgraded before they have been back for as long as `soak`.
    """

    instances: Amount | tuple[str, ...]
    soak: timedelta


class Approval(StrEnum):
    """When a rollout waits for a person."""

    START = "start"
    CANARY = "canary"


class Approver(StrEnum):
    """Whose approval is enough: anybody's, or that of another than the author of the declared image."""

    ANYONE = "anyone"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How instances are brought to the image. Amounts are of the whole scale set, unless it says otherwise.

    `order` names domains that go before all others, each as messages name it, or a part of that. `soak` is
    how long the instances of a batch must have been back before the next one goes, `bake_time` the same of
    the last one before the rollout is over. `max_unavailable` is how many may be away at once, whoever took
    them down; `max_unhealthy` how many may be sick when others are taken down, and `max_unhealthy_upgraded`
    (of those that were upgraded) how many of them may have been lost. `progress_deadline` is how long a
    batch may be waited for while nothing comes of it, `deadline` how long all of the rollout may take.
    `require_way_back`: it begins only where an image is known to go back to.
    `windows` and `checks` hold batches of working instances, and none that is sick anyway.
    """

    by: By
    order: tuple[str, ...]
    canary: Canary | None
    max_batch: Amount
    max_unavailable: Amount
    max_unhealthy: Amount
    max_unhealthy_upgraded: Amount
    soak: timedelta
    bake_time: timedelta
    converge: Converge
    on_failure: OnFailure
    require_way_back: bool
    progress_deadline: timedelta
    deadline: timedelta | None
    approval: Approval | None
    approver: Approver
    windows: tuple[Window, ...]
    checks: tuple[Check, ...]

    @property
    def first_soak(self) -> timedelta:
        """How long the first batch soaks: no less than any other, and longer where it is a canary's."""
        return max(self.soak, self.canary.soak) if self.canary else self.soak


@dataclass(frozen=True, slots=True)
class Health:
    """When an upgraded instance counts as lost: not back and healthy within `timeout`. So many `passes`,
    looks in a row, must find all of them healthy before others are taken down."""

    timeout: timedelta
    passes: int


@dataclass(frozen=True, slots=True)
class ScaleSet:
    """One document of kind ScaleSet. `interval` is how long its instances may go unlooked at when settled.

    It waits for those that it `depends_on`, by name, and for those of a lower `wave` that are to run the same
    image. `fleet` is what holds for all. `image_lines` are where its image stands: each a file and a line,
    in its own document and in that of kind Image.
    """

    name: str
    labels: Mapping[str, str]
    target: Target
    image: Image
    rollout: Rollout
    health: Health
    depends_on: tuple[str, ...]
    wave: int
    interval: timedelta
    suspend: Suspension | None
    fleet: Fleet
    place: Place
    image_lines: frozenset[tuple[str, int]]
