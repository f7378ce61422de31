"""The one image that must not wait, why, who says so and until when."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.spec.image import Image


@dataclass(frozen=True, slots=True)
class Urgency:
    """`image` is exact, and `by` "" where the spec does not say. Past `until` it waits like any other."""

    image: Image
    reason: str
    until: datetime
    by: str = ""
