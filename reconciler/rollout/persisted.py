"""What a scale set remembers of its rollouts in its tags, for any process to read.

Nothing else outlives a daemon. Images that are kept only for comparison are stored as fingerprints. Anything
that a later version of this program adds is kept unchanged.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from reconciler.rollout.claim import Claim
from reconciler.rollout.pause import Pause
from reconciler.spec.image import Image, same, short

_DIGITS = 16  # of a digest: the probability that two of a thousand images share one is about 10**-14
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An image that is kept only for comparison, as a digest and a human-readable short name.

    The digest is "" if an earlier version of this program wrote the fingerprint, because that version wrote
    only the name.
    """

    digest: str
    name: str

    @staticmethod
    @lru_cache(maxsize=1024)  # each gate of each scale set asks for the same few images
    def of(image: Image) -> "Fingerprint":
        """The fingerprint of an image, ignoring case."""
        text = f"{image.kind} {image}".casefold()
        return Fingerprint(hashlib.sha256(text.encode()).hexdigest()[:_DIGITS], short(image)[:_LONGEST_NAME])

    def is_of(self, image: Image) -> bool:
        its = Fingerprint.of(image)
        return self.digest == its.digest if self.digest else self.name[:_LONGEST_NAME] == its.name


@dataclass(frozen=True, slots=True)
class Mark:
    """An image and a time in whole seconds: when its rollout began, or when a retry was requested."""

    at: datetime
    image: Fingerprint

    @classmethod
    def of(cls, at: datetime, image: Image) -> "Mark":
        return cls(at.replace(microsecond=0), Fingerprint.of(image))


@dataclass(frozen=True, slots=True)
class Signature:
    """Who approved an image, and when, in whole seconds.

    `by` is the name given with `--by`, or else the name in the access token, or "" if there is neither.
    `through` is the name in the token if `--by` gave another one: for example, the name of a pipeline.
    """

    by: str
    at: datetime
    image: Fingerprint
    through: str = ""

    @classmethod
    def of(cls, image: Image, by: str, at: datetime, through: str = "") -> "Signature":
        return cls(by, at.replace(microsecond=0), Fingerprint.of(image), through if through != by else "")

    def __str__(self) -> str:
        """The approver and the time, in words."""
        return f"by {self.approver} at {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def approver(self) -> str:
        """The approver, in words."""
        through = f" through {self.through}" if self.through else ""
        return f"{self.by or 'someone'}{through}"


@dataclass(frozen=True, slots=True)
class PersistedState:
    """The persisted state of a scale set. A field is None if nothing is known.

    `last_good` is the image that all instances ran before the model was last changed, with few of them
    unhealthy. `failed` is the image that failed last, whatever the scale set has run since. `began` is the
    image of the last rollout and the time at which it began. `approved` is the image that a person approved.
    `fleet` is the name of the fleet that has claimed the scale set, or "". `signature` belongs to an
    approval, but perhaps to an earlier one, because older versions of this program do not update it. `retry`
    is a retry that a person requested: anything that counted against the image before the request no longer
    counts. `pause` is the pause of only this scale set. People write `approved` and `pause`, and a rollout
    only reads them. `claim` is the claim of a `reconciler upgrade` that reaches no daemon.

    `others` are parts that another version of this program wrote, which are kept unchanged. `is_readable` is
    False if a later version wrote the state in an unknown form.
    """

    last_good: Image | None = None
    failed: Fingerprint | None = None
    began: Mark | None = None
    approved: Image | None = None
    signature: Signature | None = None
    fleet: str = ""
    retry: Mark | None = None
    pause: Pause | None = None
    claim: Claim | None = None
    others: tuple[str, ...] = ()
    is_readable: bool = True

    def without_expired_claim(self, at: datetime, length: timedelta) -> "PersistedState":
        """This state, without its claim unless the claim holds at `at`. `length` is as in `Claim.is_live`."""
        is_kept = self.claim is None or self.claim.is_live(at, length)
        return self if is_kept else replace(self, claim=None)

    def rollback_target(self, image: Image) -> Image | None:
        """The last good image if `image` failed, or None.

        Also None if the rollout of another image has begun since, because declaring the failed image again is
        then a retry.
        """
        if self.last_good is None or not self.has_failed(image):
            return None
        if self.began and not self.began.image.is_of(image):
            return None
        return None if self.is_last_good(image) else self.last_good

    def with_retry(self, image: Image, at: datetime) -> "PersistedState":
        """This state after a person has requested a retry of `image`.

        The deadlines of the image start again.
        """
        mark = Mark.of(at, image)
        failed = None if self.has_failed(image) else self.failed
        began = mark if self.began and self.began.image.is_of(image) else self.began
        return replace(self, failed=failed, began=began, retry=mark)

    def failed_before(self, image: Image | None) -> str:
        """The name of the image that failed before the return to `image`, or "" if there was no return."""
        return self.failed.name if self.failed and self.is_last_good(image) else ""

    def has_failed(self, image: Image) -> bool:
        """Whether `image` is the one that failed last."""
        return self.failed is not None and self.failed.is_of(image)

    def began_at(self, image: Image) -> datetime | None:
        """When the rollout to `image` began, or None if another writer set the model to it."""
        return self.began.at if self.began and self.began.image.is_of(image) else None

    def is_last_good(self, image: Image | None) -> bool:
        return image is not None and self.last_good is not None and same(self.last_good, image)

    def is_approved(self, image: Image) -> bool:
        """Whether a person has approved exactly this image."""
        return self.approved is not None and same(self.approved, image)

    def signature_of(self, image: Image) -> Signature | None:
        """The signature of the approval of exactly this image, or None if there is none."""
        is_signed = self.signature is not None and self.signature.image.is_of(image)
        return self.signature if is_signed and self.is_approved(image) else None
