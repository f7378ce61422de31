"""The active declarations, and those that are not active because a newer commit has errors.

A commit with errors is applied in part. A scale set that an error affects is behind: it keeps its last good
declaration, with the image, the policy and the Fleet that were resolved for it. The other scale sets follow
the commit. While a commit has errors, nothing counts as removed, because a missing declaration may be in a
part that could not be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.daemon.revision import differs
from reconciler.spec.declared import Broken, Declared
from reconciler.spec.hold import apply_holds
from reconciler.spec.image import Image, same
from reconciler.spec.problem import Problem
from reconciler.spec.scale_set import ScaleSet

Origin = tuple[str, datetime]
"""A commit, and when it was read. All that has one origin counts as one change."""


@dataclass(frozen=True, slots=True)
class RefusedCommit:
    """A commit with errors.

    `commit` is "" for a plain directory. `error` is the first error, with its place. `errors` is the number
    of errors.
    """

    commit: str
    subject: str
    author: str
    error: str
    errors: int

    @property
    def short(self) -> str:
        """A short name for the commit, for messages."""
        return f"commit {self.commit[:10]}" if self.commit else "the newest specs"

    def __str__(self) -> str:
        """The commit with its subject and its author, for messages."""
        if not self.commit:
            return f"the newest specs in {self.subject}"
        by = f" by {self.author}" if self.author else ""
        return f"commit {self.commit[:10]} ({self.subject}){by}"


@dataclass(frozen=True, slots=True)
class Behind:
    """Why a scale set keeps its last good declaration: a newer commit has errors.

    `error` is the first error that concerns the scale set, and `errors` is the number of such errors. `image`
    is the image that the newer commit declares for it, or None if that cannot be read. `origin` is the first
    commit that the scale set is behind.
    """

    refused: RefusedCommit
    error: str
    errors: int
    image: Image | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class InForce:
    """An active declaration. `commit` is the newest commit that declares it without errors.

    `origin` is the commit to which a change of the image is attributed. This is the first commit that the
    scale set was behind, if any, so that an error and its fix do not split one change in two. `is_newer`
    means that the declaration differs from that of the last commit without errors.
    """

    desired: ScaleSet
    commit: str
    origin: Origin
    behind: Behind | None = None
    is_newer: bool = False

    @property
    def key(self) -> str:
        return self.desired.target.key


def take_whole(
    scale_sets: Sequence[ScaleSet], origin: Origin, before: Sequence[InForce]
) -> tuple[InForce, ...]:
    """The declarations of a commit without errors."""
    known = {each.key: each for each in before}
    return tuple(InForce(each, origin[0], _origin(known.get(each.target.key), origin)) for each in scale_sets)


@dataclass(frozen=True, slots=True)
class BrokenCommit:
    """A commit with errors. `problems` has all of its errors, and `declared` has its readable part."""

    refused: RefusedCommit
    declared: Declared
    problems: Sequence[Problem]
    origin: Origin

    def take_part(self, before: Sequence[InForce], good: Mapping[str, ScaleSet]) -> tuple[InForce, ...]:
        """The declarations that are active from now on.

        `before` has the declarations that were active until now. `good` has those of the last commit without
        errors, by target.
        """
        whole = self._acceptable(before)
        known = {each.key: each for each in before}
        taken = [
            InForce(
                each,
                self.origin[0],
                _origin(known.get(key), self.origin),
                is_newer=key not in good or differs(good[key], each),
            )
            for key, each in whole.items()
        ]
        errors = _Errors.of(self.declared.broken, self.problems)
        kept = [replace(each, behind=self._behind(each, errors)) for each in before if each.key not in whole]
        merged = [*taken, *kept]
        held = apply_holds([each.desired for each in merged], self.declared.holds)
        return tuple(replace(each, desired=desired) for each, desired in zip(merged, held, strict=True))

    def _acceptable(self, before: Sequence[InForce]) -> dict[str, ScaleSet]:
        """The scale sets without errors, by target, that can be active alongside those that are kept.

        There are none if the Fleet is missing, because it may be in a part that could not be read. No scale
        set gets the name of a kept one. A scale set is not accepted if its wave would make it wait for a new
        scale set with errors, because the new one is not active yet.
        """
        if not self.declared.fleet and any(each.desired.fleet.name for each in before):
            return {}
        known = {each.desired.name for each in before} | {each.key for each in before}
        newcomers = [each for each in self.declared.broken if not {each.name, each.key} & known]
        whole = {
            each.target.key: each
            for each in self.declared.scale_sets
            if not any(_may_follow(each, newcomer) for newcomer in newcomers)
        }
        while True:
            names = {each.desired.name for each in before if each.key not in whole}
            fitting = {key: each for key, each in whole.items() if each.name not in names}
            if len(fitting) == len(whole):
                return whole
            whole = fitting

    def _behind(self, kept: InForce, errors: "_Errors") -> Behind:
        desired = kept.desired
        own = errors.by_scale_set.get(desired.name) or errors.by_scale_set.get(kept.key)
        in_file = errors.by_file.get(desired.place.file)
        problems = (own.problems if own else None) or in_file or self.problems
        # If no document declares it, its file cannot be read or the commit removes it.
        unread = None if in_file else desired.image
        image = own.image if own else unread
        return Behind(self.refused, str(problems[0]), len(problems), image, _origin(kept, self.origin))


@dataclass(frozen=True, slots=True)
class _Errors:
    """The errors of a commit, by the name and the target of a scale set, and by file."""

    by_scale_set: Mapping[str, Broken]
    by_file: Mapping[str, Sequence[Problem]]

    @classmethod
    def of(cls, broken: Sequence[Broken], problems: Sequence[Problem]) -> "_Errors":
        by_file: dict[str, list[Problem]] = {}
        for each in problems:
            by_file.setdefault(each.place.file, []).append(each)
        named = {name: each for each in reversed(broken) for name in (each.key, each.name) if name}
        return cls(named, by_file)


def _may_follow(desired: ScaleSet, newcomer: Broken) -> bool:
    """Whether the wave of a scale set makes it wait for `newcomer`, which may declare the same image."""
    is_same = newcomer.image is None or same(newcomer.image, desired.image)
    return newcomer.wave < desired.wave and is_same


def _origin(known: InForce | None, origin: Origin) -> Origin:
    return known.behind.origin if known and known.behind else origin
