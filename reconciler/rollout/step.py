"""The steps that a decision may take, one at a time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.spec.image import Image, same

_ID = re.compile(r"\w[\w.-]*")
# Far longer than Azure's lists stay out of date. A failed step does not need a quick retry.
RETRY_DELAY = timedelta(minutes=5)
MOST_TRIES = 4


def retry_delay(tries: int) -> timedelta:
    """The delay after this number of tries: 5, 10, 20 and then 40 minutes."""
    longer: timedelta = RETRY_DELAY * 2 ** min(tries - 1, 3)
    return longer


@dataclass(frozen=True, slots=True)
class PatchModel:
    """Set the image of the model, provided that the model has not changed since it was read.

    Two patches to the same image are the same step, whatever their etags, because the patch itself changes
    the etag. `persisted` is the new persisted state, and `tags` are all tags including this state. If both
    are None, the tags stay unchanged. `good` is the last good image in this state, if something other than a
    tag showed that the image is good. `not_serving` are the ids of the instances that do not serve when the
    step is taken.
    """

    image: Image
    etag: str = field(compare=False)
    persisted: PersistedState | None = field(default=None, compare=False)
    tags: Mapping[str, str] | None = field(default=None, compare=False)
    good: Fingerprint | None = field(default=None, compare=False)
    not_serving: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        if not self.etag:
            raise ValueError("a patch needs the etag that was read: without one it overwrites any change")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Bring these instances, and no others, to the model ("manualupgrade"), which is on `image`.

    `instance_ids` are numbers or, in Flexible orchestration, the names of virtual machines. They are checked
    here and nowhere else. Azure reads an empty list or "*" as all instances.

    `not_serving` are the ids of the instances that do not serve when they are upgraded. `behind` are the ids
    of the instances that already run the image but lack another model change. `evicted` is how many instances
    Azure had evicted before this step (see `eviction`). `domain` and `names` are for messages.
    """

    instance_ids: tuple[str, ...]
    image: Image
    not_serving: frozenset[str] = field(default=frozenset(), compare=False)
    behind: frozenset[str] = field(default=frozenset(), compare=False)
    evicted: int = field(default=0, compare=False)
    domain: str = field(default="", compare=False)
    names: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.instance_ids or not all(map(_ID.fullmatch, self.instance_ids)):
            raise ValueError(
                f"an upgrade needs at least one instance id, and only valid ones: {self.instance_ids!r}"
            )


Step = PatchModel | Upgrade


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last step that Azure accepted, and when it was sent.

    An attempt prevents repeated requests. Only the process that took the step knows about it. A new process
    might repeat the step. That is safe, because the new step is the same, or an upgrade within the same
    domain.

    `operation` is the address of the operation, or "" if Azure named none. `tries` is how many times the same
    step was taken in a row. `has_succeeded` says whether the operation was seen to succeed. `error` is the
    error of the operation, or "" if none was read. `earlier_error` is the error of the previous attempt, if
    that was an upgrade to the same image.
    """

    step: Step
    at: datetime
    operation: str = ""
    tries: int = 1
    has_succeeded: bool = False
    error: str = ""
    earlier_error: str = ""

    @property
    def instance_ids(self) -> tuple[str, ...]:
        """The ids of the upgraded instances. A change to the model has none."""
        return self.step.instance_ids if isinstance(self.step, Upgrade) else ()

    def then(self, step: Step, at: datetime, operation: str) -> "Attempt":
        """The attempt that follows this one. It counts as a further try if the step is the same."""
        tries = self.tries + 1 if step == self.step else 1
        earlier_error = self.error if isinstance(step, Upgrade) and self.is_upgrade_to(step.image) else ""
        return Attempt(step, at, operation, tries, earlier_error=earlier_error)

    def is_upgrade_to(self, image: Image) -> bool:
        return isinstance(self.step, Upgrade) and same(self.step.image, image)

    def without_tries(self) -> "Attempt":
        """This attempt, without earlier tries and errors."""
        return replace(self, tries=1, error="", earlier_error="")


@dataclass(frozen=True, slots=True)
class TagWrite:
    """The last write of tags that did not change the model.

    The write records that the image `failed` has failed or, if `failed` is None, removes the record of a
    failure. Such a write is not a step: no rollout waits for it, and no rollout stops if Azure refuses it.
    `refusal` is why Azure refused the write, or "" if Azure accepted it. Only the process that requested the
    write knows about it.
    """

    failed: Fingerprint | None
    at: datetime
    tries: int = 1
    refusal: str = ""

    @property
    def next_at(self) -> datetime:
        """The earliest time at which the write may be retried."""
        return self.at + retry_delay(self.tries)

    @classmethod
    def after(
        cls, before: "TagWrite | None", failed: Fingerprint | None, at: datetime, refusal: str = ""
    ) -> "TagWrite":
        """The write that follows `before`. It counts as a further try if `before` recorded the same."""
        is_repeated = before is not None and before.failed == failed
        return cls(failed, at, before.tries + 1 if before and is_repeated else 1, refusal)
