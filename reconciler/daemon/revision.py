"""What a decision was about: a commit, and what the spec of the scale set said in it.

Both, because most commits say nothing new of most scale sets, and a directory of specs has no commits.
"""

import hashlib
from dataclasses import dataclass

from reconciler.spec.scale_set import ScaleSet

# Its name, its labels, and where in which file it stands change nothing of what is done.
_UNSAID = frozenset({"place", "image_lines", "labels", "name"})


@dataclass(frozen=True, slots=True)
class Revision:
    """`commit` is "" for a plain directory. `spec` is a digest of what was said, with its defaults and with
    what the documents that it refers to said: it is the same wherever, and as long as, the same is said to
    the same version of the program."""

    commit: str
    spec: str

    @classmethod
    def of(cls, desired: ScaleSet, commit: str) -> "Revision":
        return cls(commit, hashlib.sha256(repr(statement(desired)).encode()).hexdigest()[:12])


def statement(desired: ScaleSet) -> tuple[object, ...]:
    """All that the spec says of what is to be done."""
    return tuple(getattr(desired, name) for name in ScaleSet.__slots__ if name not in _UNSAID)


def differs(before: ScaleSet, now: ScaleSet) -> bool:
    """Whether the spec says something else."""
    return statement(before) != statement(now)
