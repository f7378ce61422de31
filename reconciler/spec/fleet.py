"""What is declared of all scale sets together, by the one document of kind Fleet, or by defaults."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.spec.amount import Amount
from reconciler.spec.image import Image, same
from reconciler.spec.suspension import Suspension
from reconciler.spec.urgency import Urgency
from reconciler.spec.window import Window


@dataclass(frozen=True, slots=True)
class Fleet:
    """`name` is that of its document, "" where there is none. Amounts are of the declared scale sets.

    While `freeze` is in force nothing is written to Azure at all. `windows` hold for every scale set beside
    its own. `max_concurrent` is how many may roll at once, `max_change` how many the images of which one
    commit may change, `max_failed` (rounded down) in how many an image may have failed before it is begun
    nowhere. `allow_unproven_wave`: a wave may follow others in which no instance has proven the image.
    `urgent` is the image that a person has declared urgent, perhaps long ago: ask `urgency`.
    """

    name: str
    freeze: Suspension | None
    windows: tuple[Window, ...]
    max_concurrent: Amount
    max_change: Amount
    max_failed: Amount
    allow_unproven_wave: bool
    urgent: Urgency | None = None

    def urgency(self, image: Image, at: datetime) -> Urgency | None:
        """Why exactly this image is urgent at that moment, None where it is not."""
        urgent = self.urgent
        return urgent if urgent and at < urgent.until and same(urgent.image, image) else None
