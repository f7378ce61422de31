"""What one spec declares about one scale set, typed and with every default filled in.

`ScaleSet` holds nothing that would still have to be looked up in another document: an image `ref` is
resolved when the files are read. Defaults live in the JSON Schema alone; this module has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.spec.amount import Amount
from reconciler.spec.image import Image
from reconciler.spec.problem import Place


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


@dataclass(frozen=True, slots=True)
class Rollout:
    """How instances are brought to the image. Amounts are of the whole scale set.

    `soak` is how long the instances of a batch must have been back before the next one goes,
    `max_unavailable` how many may be away at once, whoever took them down.
    """

    by: By
    max_batch: Amount
    converge: Converge
    canary: Canary | None
    soak: timedelta
    on_failure: OnFailure
    max_unavailable: Amount


@dataclass(frozen=True, slots=True)
class Health:
    """When an upgraded instance counts as lost: not back and healthy within `timeout`."""

    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why a scale set is left alone; `reason` and `by` are "" and `until` None where the spec does not say.

    Past `until` it stays suspended, and is reported as forgotten.
    """

    reason: str = ""
    by: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScaleSet:
    """One document of kind ScaleSet. `interval` is how long its instances may go unlooked at when settled."""

    name: str
    labels: Mapping[str, str]
    target: Target
    image: Image
    rollout: Rollout
    health: Health
    interval: timedelta
    suspend: Suspension | None
    place: Place
