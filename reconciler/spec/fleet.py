"""The settings for all scale sets, from the one document of kind Fleet or from the defaults."""

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
        """The Azure Resource Manager id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The settings for all scale sets. Percentages refer to all declared scale sets.

    name: the name of the document, or "" if there is none.
    freeze: while set, nothing is written to Azure.
    windows: apply to every scale set, in addition to its own windows.
    max_concurrent: maximum number of scale sets that roll out at the same time.
    max_change: maximum number of scale sets whose image one commit may change.
    max_failed: maximum number of scale sets, rounded down, in which an image may fail. If it fails in more,
        no further scale set starts a rollout of this image.
    allow_unproven_wave: a wave may start even if no instance of an earlier wave has proven the image.
    urgent: the image that was declared urgent, even if its urgency has expired. `urgency` checks the time.
    pause_tag: None if no tag pauses the fleet.
    barred: which of the commands "approve", "resume", "retry" and "upgrade" the daemon refuses.
    shard: the name of the shard that these settings were read for, or "" for the whole fleet.
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
    shard: str = ""

    @property
    def claim(self) -> str:
        """The name by which the tag of a scale set claims it for this fleet, or "" if the fleet has no name.

        The name ends in that of the shard, if any. If two shards select a scale set, the tag keeps one of
        them from acting for it.
        """
        return f"{self.name}/{self.shard}" if self.name and self.shard else self.name

    def urgency(self, image: Image, at: datetime) -> Urgency | None:
        """The urgency of exactly this image at `at`, or None if the image is not urgent at that time."""
        urgent = self.urgent
        return urgent if urgent and at < urgent.until and same(urgent.image, image) else None
