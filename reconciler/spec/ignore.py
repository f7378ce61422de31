"""The patterns of a `.reconcilerignore`: files and directories that are not read as specs.

The format is a small part of that of `.gitignore`, and it means the same in both:

- Empty lines, and lines that begin with `#`, have no effect. Spaces at the end of a line are removed.
- `*` stands for any characters of a name, `?` for one, `[a-z]` for one of a set, `**` for any directories.
- A pattern with a `/` at the beginning or in the middle is relative to the directory of the file. Any other
  pattern fits a name at any depth.
- A `/` at the end limits a pattern to directories. What is below a directory that is passed over is not read.
- `!` at the beginning reads again what an earlier pattern passes over. The last pattern that fits decides.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NAME = ".reconcilerignore"


@dataclass(frozen=True, slots=True)
class _Pattern:
    fits: re.Pattern[str]
    is_negated: bool
    only_directories: bool


@dataclass(frozen=True, slots=True)
class Ignore:
    """The patterns of one file. Without any, nothing is passed over.

    >>> rules = Ignore.of("*.tmpl.yaml\\n/charts/\\n!charts/keep.yaml\\n")
    >>> rules.covers("a/b.tmpl.yaml"), rules.covers("charts", is_directory=True), rules.covers("web.yaml")
    (True, True, False)
    """

    patterns: tuple[_Pattern, ...] = ()

    @classmethod
    def of(cls, text: str) -> "Ignore":
        return cls(tuple(_patterns(text)))

    def covers(self, path: str, *, is_directory: bool = False) -> bool:
        """Whether an entry is passed over. `path` is relative to the directory of the file, with `/`."""
        fitting = (
            each
            for each in reversed(self.patterns)
            if (is_directory or not each.only_directories) and each.fits.fullmatch(path)
        )
        last = next(fitting, None)
        return last is not None and not last.is_negated


def _patterns(text: str) -> Iterator[_Pattern]:
    for line in text.splitlines():
        pattern = line.rstrip()
        if not pattern or pattern.startswith("#"):
            continue
        is_negated = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        body = pattern.strip("/")
        if not body:
            continue
        is_anchored = "/" in pattern.rstrip("/")
        expression = ("" if is_anchored else "(?:.*/)?") + "".join(_expressions(body))
        yield _Pattern(re.compile(expression, re.DOTALL), is_negated, pattern.endswith("/"))


_PARTS = re.compile(r"/\*\*/|\*\*/|/\*\*|\*\*|\*|\?|\[[!^]?\]?[^]/]*\]|\\?.", re.DOTALL)


def _expressions(pattern: str) -> Iterator[str]:
    """The parts of a pattern as regular expressions."""
    for part in _PARTS.findall(pattern):
        match part:
            case "/**/":
                yield "/(?:.*/)?"
            case "**/":
                yield "(?:.*/)?"
            case "/**":
                yield "/.*"
            case "**" | "*":
                yield "[^/]*"
            case "?":
                yield "[^/]"
            case _ if part.startswith("[") and len(part) > 2:
                yield _character_class(part)
            case _:
                yield re.escape(part[-1])


def _character_class(part: str) -> str:
    """One character of a set, such as `[a-c]`, or any other character, such as `[!a-c]`."""
    body = part[1:-1]
    is_negated = body[0] in "!^"
    body = body[1:] if is_negated else body
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    expression = f"[{'^' if is_negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:  # a range that ends before it begins fits nothing
        return "(?!)"
    return f"(?!/){expression}"
