"""Our comment: how to mark it, how to find it again, and what to do with it. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.forge.forge import Comment

LONGEST_KEY = 64
# Two hyphens in a row would end the HTML comment in some renderers.
_KEY = re.compile(r"[A-Za-z0-9]+(?:[._/-][A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Create:
    """Create the comment, because no comment has the marker yet."""


@dataclass(frozen=True, slots=True)
class Update:
    """Update this comment, because its text differs."""

    comment: Comment


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep this comment as it is, because it already has the text."""

    comment: Comment


Step = Create | Update | Keep


def is_key(text: str) -> bool:
    """Whether the text is a valid key for a marker.

    >>> is_key("plan"), is_key("plan/prod-1"), is_key("a--b"), is_key("")
    (True, True, False, False)
    """
    return len(text) <= LONGEST_KEY and bool(_KEY.fullmatch(text))


def mark(key: str, text: str) -> str:
    """The body of the comment: the marker, which no reader sees, and the text.

    >>> mark("plan", "nothing changes")
    '<!-- vmss-reconciler:plan -->\\n\\nnothing changes'
    """
    return f"{_marker(key)}\n\n{_plain(text)}"


def is_marked(key: str, body: str) -> bool:
    """Whether a comment begins with the marker. A comment that only quotes the marker does not.

    >>> is_marked("plan", "<!-- vmss-reconciler:plan -->\\r\\nnothing changes")
    True
    >>> is_marked("plan", "> <!-- vmss-reconciler:plan -->"), is_marked("plan", mark("plan-2", ""))
    (False, False)
    """
    first, *_ = _plain(body).split("\n", 1)
    return first.rstrip() == _marker(key)


def choose(ours: Iterable[Comment], body: str) -> Step:
    """The next step, given our marked comments. Only the first comment counts.

    Differences in line endings and surrounding whitespace are ignored, because forges can change both.
    """
    first = next(iter(ours), None)
    if first is None:
        return Create()
    return Keep(first) if _plain(first.text) == _plain(body) else Update(first)


def _marker(key: str) -> str:
    return f"<!-- vmss-reconciler:{key} -->"


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
