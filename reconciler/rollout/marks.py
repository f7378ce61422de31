"""What a scale set itself remembers of its rollouts: on tags, written with the image in one guarded patch.

Nothing else outlives a daemon.
"""

from dataclasses import dataclass

from reconciler.spec.image import Image, same


@dataclass(frozen=True, slots=True)
class Marks:
    """`last_good` is the image that all instances were healthy on before the model was last changed, `failed`
    the one that was given up. None where nothing is known."""

    last_good: Image | None = None
    failed: Image | None = None

    def stand_in(self, image: Image) -> Image | None:
        """What stands for `image` if it was given up: the last good one."""
        if self.failed is None or self.last_good is None or not same(self.failed, image):
            return None
        return None if same(self.last_good, image) else self.last_good
