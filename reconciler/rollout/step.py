"""The steps there are: what a decision may have done to Azure, one at a time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.spec.image import Image, same

_ID = re.compile(r"\w[\w.-]*")
# Far longer than a list is behind; and what failed is not helped by haste.
RETRY_DELAY = timedelta(minutes=5)
MOST_TRIES = 4


def retry_delay(tries: int) -> timedelta:
    """How long after so many tries none is made: 5 minutes, and twice as long each time."""
    longer: timedelta = RETRY_DELAY * 2 ** min(tries - 1, 3)
    return longer


@dataclass(frozen=True, slots=True)
class PatchModel:
    """Set the image of the model, if the model is still the one that was seen.

    Two patches to one image are the same step, whatever the etag: the patch itself moves it. `persisted` is
    what the scale set is to remember from then on, and `tags` are all of its tags with that among them; None
    leaves them alone. `good` is the last good image among that, where more than a tag showed it to be good as
    the step was decided. `not_serving` are the instances that do not serve as it is taken.
    """

    image: Image
    etag: str = field(compare=False)
    persisted: PersistedState | None = field(default=None, compare=False)
    tags: Mapping[str, str] | None = field(default=None, compare=False)
    good: Fingerprint | None = field(default=None, compare=False)
    not_serving: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        if not self.etag:
            raise ValueError("a patch names the etag that was seen: without one it would overwrite anything")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Bring these instances, and no others, to the model ("manualupgrade"), which is on `image`.

    Their ids are numbers, or in Flexible orchestration the names of virtual machines. This is the one place
    that checks a list of instance ids: Azure reads an empty list or "*" as all instances.

    `not_serving` are those that do not serve when they are upgraded. `behind` are those that run the image
    already and lack another change of the model. `evicted` counts those that Azure evicted before (see
    `eviction`). `domain` and `names` are for messages.
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
            raise ValueError(f"an upgrade names its instances, one at least: {self.instance_ids!r}")


Step = PatchModel | Upgrade


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last step that Azure accepted, and when it was sent.

    Known only to the process that took it. It spares Azure the same request twice; a new process may repeat a
    step, which is safe: it is the same one, or an upgrade within the same domain. `operation` is where Azure
    tells what becomes of it, "" where it named no such place. `tries` counts how often the same step was
    taken, one time after the other. `has_succeeded`: its operation was seen to end well. `error` is what that
    failed with, as far as it was read, and `earlier_error` the same of the attempt before, if that was one at
    the same image.
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
        """Those that it names; a change of the model names none."""
        return self.step.instance_ids if isinstance(self.step, Upgrade) else ()

    def then(self, step: Step, at: datetime, operation: str) -> "Attempt":
        """The attempt after this one."""
        tries = self.tries + 1 if step == self.step else 1
        earlier_error = self.error if isinstance(step, Upgrade) and self.is_upgrade_to(step.image) else ""
        return Attempt(step, at, operation, tries, earlier_error=earlier_error)

    def is_upgrade_to(self, image: Image) -> bool:
        """Whether it brings instances to this image."""
        return isinstance(self.step, Upgrade) and same(self.step.image, image)

    def anew(self) -> "Attempt":
        """The same, with nothing that counts against its step."""
        return replace(self, tries=1, error="", earlier_error="")


@dataclass(frozen=True, slots=True)
class TagWrite:
    """The last time that the failure of an image, or its end (None), was to be written on the tags alone.

    It is no step: no rollout waits for it, or stops where it is refused. `refusal` is why Azure did not
    accept it, "" where it did. Known only to the process that asked for it.
    """

    failed: Fingerprint | None
    at: datetime
    tries: int = 1
    refusal: str = ""

    @property
    def next_at(self) -> datetime:
        """Before which it is not asked for again."""
        return self.at + retry_delay(self.tries)

    @classmethod
    def after(
        cls, before: "TagWrite | None", failed: Fingerprint | None, at: datetime, refusal: str = ""
    ) -> "TagWrite":
        """The next one."""
        is_repeated = before is not None and before.failed == failed
        return cls(failed, at, before.tries + 1 if before and is_repeated else 1, refusal)
