"""The revision to follow in a repository: a branch, a tag, or a single commit."""

import re
from dataclasses import dataclass

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
# What git-check-ref-format(1) rejects, and characters that would turn the name into a refspec.
_NO_NAME = re.compile(r"^[-/.]|[/.]$|\.lock(/|$)|\.\.|//|/\.|@\{|[\x00-\x20\x7f~^:?*\[\\]|^@?$")
_SHA = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a repository. `kind` is "branch", "tag" or "commit"."""

    kind: str
    name: str

    @property
    def ref(self) -> str:
        """The name that git fetches: the full name of a ref, or the id of a commit."""
        return {"branch": _HEADS, "tag": _TAGS}.get(self.kind, "") + self.name

    @property
    def is_fixed(self) -> bool:
        """Whether the revision always names the same commit."""
        return self.kind == "commit"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def branch(name: str) -> Revision:
    """The branch with this name or full ref. Raises ValueError if `name` is a tag or not a valid name."""
    if name.startswith(_TAGS):
        raise ValueError(f"{name!r} is a tag: use --tag")
    return _revision("branch", name.removeprefix(_HEADS), name)


def tag(name: str) -> Revision:
    """The tag with this name or full ref. Raises ValueError if `name` is a branch or not a valid name."""
    if name.startswith(_HEADS):
        raise ValueError(f"{name!r} is a branch: use --branch")
    return _revision("tag", name.removeprefix(_TAGS), name)


def commit(sha: str) -> Revision:
    """The commit with this id. Raises ValueError if `sha` is not a full commit id."""
    if not is_commit_id(sha.lower()):
        raise ValueError(f"{sha!r} is not the full id of a commit: write all 40 or 64 hexadecimal digits")
    return Revision("commit", sha.lower())


def is_commit_id(text: str) -> bool:
    """Whether `text` is a full commit id: 40 or 64 hexadecimal digits, in lower case."""
    return _SHA.fullmatch(text) is not None


def _revision(kind: str, name: str, given: str) -> Revision:
    if _NO_NAME.search(name):
        raise ValueError(f"{given!r} is not a valid {kind} name")
    return Revision(kind, name)
