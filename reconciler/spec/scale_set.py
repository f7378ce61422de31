"""The declaration of one scale set, as typed values with every default filled in.

A `ScaleSet` is self-contained: references to an Image are resolved when the files are read. The defaults come
from the JSON Schema. This module contains no defaults.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.spec.amount import Amount
from reconciler.spec.check import Check
from reconciler.spec.fleet import Fleet, PauseTag
from reconciler.spec.image import Image
from reconciler.spec.problem import Place
from reconciler.spec.suspension import Suspension
from reconciler.spec.window import Window


@dataclass(frozen=True, slots=True)
class Target:
    """The scale set in Azure that a spec declares. Azure ignores case in all three fields."""

    subscription: str
    resource_group: str
    name: str

    @property
    def id(self) -> str:
        """The ARM resource id, in the same case as in the spec."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/virtualMachineScaleSets/{self.name}"
        )

    @property
    def key(self) -> str:
        """The id with case folded, which is the same for every spelling of the id."""
        return self.id.casefold()


class By(StrEnum):
    """The kind of domain that a rollout upgrades one at a time."""

    AUTO = "auto"
    UPDATE_DOMAIN = "updateDomain"
    ZONE = "zone"
    FAULT_DOMAIN = "faultDomain"
    BATCH = "batch"


class Converge(StrEnum):
    """What must match before an instance counts as up to date: only its image, or the whole model."""

    IMAGE = "image"
    MODEL = "model"


class CustomizedInstances(StrEnum):
    """What happens to instances whose model was changed individually. An upgrade reverts these changes."""

    SKIP = "skip"
    OVERWRITE = "overwrite"


class OnFailure(StrEnum):
    """What the reconciler does if upgraded instances do not become healthy in time."""

    HOLD = "hold"
    REPIN = "repin"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Canary:
    """The instances that are upgraded first: an amount of the scale set's instances, or specific ids.

    No other instance is upgraded until the canary instances have been healthy for `soak`.
    """

    instances: Amount | tuple[str, ...]
    soak: timedelta


class Approval(StrEnum):
    """The point at which a rollout waits for approval."""

    START = "start"
    CANARY = "canary"


class Approver(StrEnum):
    """Who may approve: anyone, or anyone except the author of the declared image."""

    ANYONE = "anyone"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How instances are upgraded to the image. Percentages refer to the whole scale set unless noted.

    order: domains that are upgraded before all others, named as in messages or by a part of that name.
    soak: time for which the instances of a batch must have been healthy before the next batch starts.
    bake_time: time for which the last batch must have been healthy before the rollout is complete.
    max_unavailable: maximum number of instances unavailable at once, for any reason.
    max_unhealthy: number of unhealthy instances above which no healthy instance is taken out of service.
    max_unhealthy_upgraded: number of upgraded instances that may stay unhealthy without stopping the rollout.
        A percentage refers to the instances upgraded so far.
    require_way_back: the rollout starts only if a rollback target is known.
    progress_deadline: the rollout fails if this time passes without another instance of a batch becoming
        healthy.
    deadline: maximum time for the whole rollout.
    windows, checks: delay batches of healthy instances. They do not delay remediation.
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
    customized_instances: CustomizedInstances
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
        """The soak of the first batch: `soak`, or the soak of the canary if that is longer."""
        return max(self.soak, self.canary.soak) if self.canary else self.soak


@dataclass(frozen=True, slots=True)
class Health:
    """When upgraded instances count as healthy.

    An upgraded instance that is not healthy within `timeout` counts as out of service. All upgraded instances
    must be healthy in `passes` consecutive observations before the next batch starts.
    """

    timeout: timedelta
    passes: int


@dataclass(frozen=True, slots=True)
class ScaleSet:
    """One document of kind ScaleSet.

    depends_on: names of the scale sets that this one waits for.
    wave: this scale set also waits for scale sets with the same image in an earlier wave.
    interval: longest time between two listings of its instances while it is settled.
    fleet: settings that apply to all scale sets.
    image_lines: the lines that declare its image, in its own document and in the document of kind Image. Each
        is a file and a line number.
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


def pause_tag_of(scale_sets: Iterable[ScaleSet]) -> PauseTag | None:
    """The pause tag in the Fleet of these scale sets, or None if the Fleet names none."""
    return next((each.fleet.pause_tag for each in scale_sets if each.fleet.pause_tag), None)
