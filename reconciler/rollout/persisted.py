"""What a scale set itself remembers of its rollouts, whichever process looks: on its tags.

Nothing else outlives a daemon. Images that are only compared are kept as fingerprints, and whatever a later
version of this program adds is kept as it is.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from reconciler.spec.image import Image, same, short

_DIGITS = 16  # of a digest: two of a thousand images are alike once in 10**14 times
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An image that is only compared: a digest of it, and a short name for people.

    Of what a former version wrote only the name is known; then the digest is "".
    """

    digest: str
    name: str

    @staticmethod
    @lru_cache(maxsize=1024)  # a fleet of thousands asks of a few images, at each gate of each scale set
    def of(image: Image) -> "Fingerprint":
        """Two images that are the same but for the case of their letters have the same digest."""
        text = f"{image.kind} {image}".casefold()
        return Fingerprint(hashlib.sha256(text.encode()).hexdigest()[:_DIGITS], short(image)[:_LONGEST_NAME])

    def is_of(self, image: Image) -> bool:
        """Whether this image has it."""
        its = Fingerprint.of(image)
        return self.digest == its.digest if self.digest else self.name[:_LONGEST_NAME] == its.name


@dataclass(frozen=True, slots=True)
class Mark:
    """An image, and when something came of it, in whole seconds: its rollout began, or is to begin anew."""

    at: datetime
    image: Fingerprint

    @classmethod
    def of(cls, at: datetime, image: Image) -> "Mark":
        return cls(at.replace(microsecond=0), Fingerprint.of(image))


@dataclass(frozen=True, slots=True)
class Signature:
    """Who approved an image, and when, in whole seconds.

    `by` is a name, as the token of the person told it, or as they said it with `--by`; "" where neither did.
    `through` is what the token told where they said another name: a pipeline, perhaps.
    """

    by: str
    at: datetime
    image: Fingerprint
    through: str = ""

    @classmethod
    def of(cls, image: Image, by: str, at: datetime, through: str = "") -> "Signature":
        return cls(by, at.replace(microsecond=0), Fingerprint.of(image), through if through != by else "")

    def __str__(self) -> str:
        """For people: by whom and when."""
        through = f" through {self.through}" if self.through else ""
        return f"by {self.by or 'somebody'}{through} at {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class PersistedState:
    """`last_good` is the image that a rollout had brought all instances to before the model was last changed,
    and that few were unhealthy on; `failed` the one that was given up last, whatever the scale set runs
    since, and `began` the last rollout. `approved` is written by a person, and only read here. None where
    nothing is known. `fleet` is the name of the fleet that the scale set belongs to, "" where none has
    claimed it. `signature` is that of an approval, perhaps of another image than the one that is approved:
    an older version of this program leaves it as it is. `retry` says that a person has an image tried again:
    what counted against it before that counts no more.

    `others` are the parts that another version of this program wrote, as they stand. `is_readable` is False
    where a later one wrote all of it in a form that is not known here.
    """

    last_good: Image | None = None
    failed: Fingerprint | None = None
    began: Mark | None = None
    approved: Image | None = None
    signature: Signature | None = None
    fleet: str = ""
    retry: Mark | None = None
    others: tuple[str, ...] = ()
    is_readable: bool = True

    def rollback_target(self, image: Image) -> Image | None:
        """What stands for `image` if it was given up: the last good one.

        Nothing does once another image was begun since: whoever names it again wants it tried again.
        """
        if self.failed is None or self.last_good is None or not self.failed.is_of(image):
            return None
        if self.began and not self.began.image.is_of(image):
            return None
        return None if self.is_last_good(image) else self.last_good

    def with_retry(self, image: Image, at: datetime) -> "PersistedState":
        """What is persisted once a person has this image tried again, with all of its time anew."""
        mark = Mark.of(at, image)
        failed = None if self.failed and self.failed.is_of(image) else self.failed
        began = mark if self.began and self.began.image.is_of(image) else self.began
        return replace(self, failed=failed, began=began, retry=mark)

    def failed_before(self, image: Image | None) -> str:
        """The name of what was given up for `image`, "" where that is not the last good one."""
        return self.failed.name if self.failed and self.is_last_good(image) else ""

    def began_at(self, image: Image) -> datetime | None:
        """When the rollout to `image` began, where that was noted; somebody else may have set the model."""
        return self.began.at if self.began and self.began.image.is_of(image) else None

    def is_last_good(self, image: Image | None) -> bool:
        """Whether this is the image that the scale set can go back to."""
        return image is not None and self.last_good is not None and same(self.last_good, image)

    def is_approved(self, image: Image) -> bool:
        """Whether a person has approved exactly this image."""
        return self.approved is not None and same(self.approved, image)

    def signature_of(self, image: Image) -> Signature | None:
        """Who approved exactly this image, and when; None where that is not known, or nobody did."""
        is_signed = self.signature is not None and self.signature.image.is_of(image)
        return self.signature if is_signed and self.is_approved(image) else None
