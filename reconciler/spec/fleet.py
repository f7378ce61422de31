"""The settings that apply to all scale sets: declared by the one document of kind Fleet, or the defaults."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.spec.amount import Amount
from reconciler.spec.image import Image, same
from reconciler.spec.suspension import Suspension
from reconciler.spec.urgency import Urgency
from reconciler.spec.window import Window


@dataclass(frozen=True, slots=True)
class PauseTag:
    """The resource group whose tag pauses the fleet."""

    subscription: str
    resource_group: str

    @property
    def id(self) -> str:
        """The id of the resource group in Azure Resource Manager."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """`name` is the name of the document, or "" if there is none. Amounts are out of all declared scale sets.

    freeze: while set, nothing is written to Azure.
    windows: apply to every scale set, in addition to its own windows.
    max_concurrent: maximum number of scale sets that roll out at once.
    max_change: maximum number of scale sets whose image one commit may change.
    max_failed: maximum number of scale sets, rounded down, in which an image may fail. If it fails in more,
        no further scale set starts a rollout of this image.
    allow_unproven_wave: a wave may start even if no instance of a lower wave has proven the image.
    urgent: the image that was declared urgent, even if that has expired. `urgency` checks the time.
    pause_tag: None if no tag pauses the fleet.
    barred: the commands that only a commit may replace, of "approve", "resume" and "retry".
    """

    name: str
    freeze: Suspension | None
    windows: tuple[Window, ...]
    max_concurrent: Amount
    max_change: Amount
    max_failed: Amount
    allow_unproven_wave: bool
    urgent: Urgency | None = None
    pause_tag: PauseTag | None = None
    barred: frozenset[str] = frozenset()

    def urgency(self, image: Image, at: datetime) -> Urgency | None:
        """The urgency of exactly this image at the time `at`, or None if the image is not urgent then."""
        urgent = self.urgent
        return urgent if urgent and at < urgent.until and same(urgent.image, image) else None
