"""The steps there are: what a decision may have done to Azure, one at a time."""

from dataclasses import dataclass, field
from datetime import datetime

from reconciler.spec.image import Image


@dataclass(frozen=True, slots=True)
class PatchModel:
    """Set the image of the model, if the model is still the one that was seen.

    Two patches to one image are the same step, whatever the etag: the patch itself moves it.
    """

    image: Image
    etag: str = field(compare=False)

    def __post_init__(self) -> None:
        if not self.etag:
            raise ValueError("a patch names the etag that was seen: without one it would overwrite anything")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Bring these instances, and no others, to the model ("manualupgrade"), which is on `image`.

    The one place where a list of instance ids is checked: Azure reads an empty list or "*" as all of them.
    """

    instance_ids: tuple[str, ...]
    image: Image

    def __post_init__(self) -> None:
        if not self.instance_ids or not all(id_.isdigit() for id_ in self.instance_ids):
            raise ValueError(f"an upgrade names its instances by number, one at least: {self.instance_ids!r}")


Step = PatchModel | Upgrade


@dataclass(frozen=True, slots=True)
class Tried:
    """The last step that Azure accepted, and when.

    Known only to the process that took it. It spares Azure the same request twice and is never needed to
    be safe: a new process may repeat a step, which changes nothing.
    """

    step: Step
    at: datetime
