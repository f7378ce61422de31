"""What a scale set itself remembers of its rollouts: on tags, written with the image in one guarded patch.

Nothing else outlives a daemon.
"""

from dataclasses import dataclass
from datetime import datetime

from reconciler.spec.image import Image, same, short

_LONGEST = 200  # characters


@dataclass(frozen=True, slots=True)
class Began:
    """When a rollout began, and to what: the short name of its image."""

    at: datetime
    image: str

    @classmethod
    def of(cls, at: datetime, image: Image) -> "Began":
        """In whole seconds, and so much of the name as fits one tag beside them."""
        return cls(at.replace(microsecond=0), short(image)[:_LONGEST])


@dataclass(frozen=True, slots=True)
class PersistedState:
    """`last_good` is the image that a rollout had brought all instances to before the model was last changed,
    and that few were sick on; `failed` the one that was given up, `began` the last rollout. `approved` is
    written by a person, and only read here. None where nothing is known."""

    last_good: Image | None = None
    failed: Image | None = None
    began: Began | None = None
    approved: Image | None = None

    def stand_in(self, image: Image) -> Image | None:
        """What stands for `image` if it was given up: the last good one."""
        if self.failed is None or self.last_good is None or not same(self.failed, image):
            return None
        return None if same(self.last_good, image) else self.last_good

    def given_up_for(self, image: Image | None) -> Image | None:
        """What was given up for `image`: None where that is not the last good one."""
        if image is None or self.last_good is None or not same(self.last_good, image):
            return None
        return self.failed

    def began_at(self, image: Image) -> datetime | None:
        """When the rollout to `image` began, where that was marked; somebody else may have set the model."""
        return self.began.at if self.began and self.began == Began.of(self.began.at, image) else None

    def is_approved(self, image: Image) -> bool:
        """Whether a person has approved exactly this image."""
        return self.approved is not None and same(self.approved, image)
