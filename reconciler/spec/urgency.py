"""The image that is declared urgent: why, by whom and until when."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.spec.image import Image


@dataclass(frozen=True, slots=True)
class Urgency:
    """An urgent image. `image` names an exact version. `by` is "" if the spec omits it.

    After `until`, the image waits like any other.
    """

    image: Image
    reason: str
    until: datetime
    by: str = ""
