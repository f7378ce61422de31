"""The subject of a decision: a commit, and a digest of the spec of the scale set in that commit.

Both are needed. Most commits change nothing for most scale sets, and a directory of specs has no commits.
"""

import hashlib
from dataclasses import dataclass

from reconciler.spec.scale_set import ScaleSet

# The name, the labels and the place in a file have no effect on decisions.
_WITHOUT_EFFECT = frozenset({"place", "image_lines", "labels", "name"})


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and a digest of a spec. `commit` is "" for a plain directory.

    The digest covers the spec with its defaults and the documents that it refers to. The same content and the
    same program version always give the same digest.
    """

    commit: str
    spec: str

    @classmethod
    def of(cls, desired: ScaleSet, commit: str) -> "Revision":
        return cls(commit, hashlib.sha256(repr(statement(desired)).encode()).hexdigest()[:12])


def statement(desired: ScaleSet) -> tuple[object, ...]:
    """Everything in the spec that has an effect on decisions."""
    return tuple(getattr(desired, name) for name in ScaleSet.__slots__ if name not in _WITHOUT_EFFECT)


def differs(before: ScaleSet, now: ScaleSet) -> bool:
    """Whether two specs differ in anything that has an effect on decisions."""
    return before is not now and statement(before) != statement(now)
