"""The patterns of a `.reconcilerignore`: files and directories that are not read as specs.

The format is a subset of the `.gitignore` format, with the same meaning:

- Empty lines, and lines that begin with `#`, have no effect. Spaces at the end of a line are removed.
- `*` matches any characters of a name, `?` one character, `[a-z]` one character of a set, and `**` any number
  of directories.
- A pattern with a `/` at the beginning or in the middle is relative to the directory of the file. Any other
  pattern matches a name at any depth.
- A `/` at the end limits a pattern to directories. Nothing below an ignored directory is read.
- A `!` at the beginning re-includes entries that an earlier pattern ignores. The last matching pattern
  decides.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

NAME = ".reconcilerignore"
# Limited because every pattern is compared with every entry of a tree. Nobody writes more patterns by hand.
_MOST_PATTERNS = 500
_LONGEST = 500  # characters of a pattern


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern. `fits` matches the whole path of an entry or, if `of_name` is set, only its name."""

    fits: re.Pattern[str]
    of_name: bool
    is_negated: bool
    only_directories: bool


@dataclass(frozen=True, slots=True)
class Ignore:
    """The patterns of one file. Without patterns, nothing is ignored.

    >>> rules = Ignore.of("*.tmpl.yaml\\n/charts/\\n!charts/keep.yaml\\n")
    >>> rules.covers("a/b.tmpl.yaml"), rules.covers("charts", is_directory=True), rules.covers("web.yaml")
    (True, True, False)
    """

    patterns: tuple[_Pattern, ...] = ()

    @classmethod
    def of(cls, text: str) -> "Ignore":
        """The patterns in the text of a file.

        Raises ValueError if there are too many patterns, or if a pattern is too long.
        """
        return cls(tuple(_patterns(text)))

    def covers(self, path: str, *, is_directory: bool = False) -> bool:
        """Whether an entry is ignored.

        `path` is relative to the directory of the `.reconcilerignore`, with `/` as the separator.
        """
        name = path.rpartition("/")[2]
        fitting = (
            each
            for each in reversed(self.patterns)
            if (is_directory or not each.only_directories)
            and each.fits.fullmatch(name if each.of_name else path)
        )
        last = next(fitting, None)
        return last is not None and not last.is_negated


def _patterns(text: str) -> Iterator[_Pattern]:
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        pattern = line.rstrip()
        if not pattern or pattern.startswith("#"):
            continue
        is_negated = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        body = pattern.strip("/")
        if not body:
            continue
        count += 1
        if count > _MOST_PATTERNS:
            raise ValueError(
                f"has more than {_MOST_PATTERNS} patterns: write fewer, such as one for a directory"
            )
        if len(pattern) > _LONGEST:
            raise ValueError(f"has a pattern of more than {_LONGEST} characters in line {number}: shorten it")
        is_anchored = "/" in pattern.rstrip("/")
        yield _Pattern(re.compile(_path(body), re.DOTALL), not is_anchored, is_negated, pattern.endswith("/"))


_DIRECTORIES = "(?:[^/]+/)"  # "**/" stands for any number of these, as few as possible
_PARTS = re.compile(r"\*+|\?|\[[!^]?\]?[^]/]*\]|\\?.", re.DOTALL)


def _path(body: str) -> str:
    """The regular expression that a whole path must match.

    Between two wildcards, the first match is as good as any later one. Atomic groups keep the first match, so
    a hostile pattern cannot force the comparison to try all combinations.
    """
    names = body.split("/")
    runs = [list(run) for is_any, run in groupby(names, _is_any) if not is_any]
    expressions = ["/".join(map(_name, run)) for run in runs]
    if not expressions:
        return ".+"
    begin = f"{_DIRECTORIES}*?" if _is_any(names[0]) else ""
    end = "/.*" if _is_any(names[-1]) else ""
    if len(expressions) == 1:
        return f"{begin}{expressions[0]}{end}"
    head, *middle, tail = expressions
    found = f"(?>{begin}{head}/)" if begin else f"{head}/"
    found += "".join(f"(?>{_DIRECTORIES}*?{each}/)" for each in middle)
    return f"{found}{_DIRECTORIES}*?{tail}{end}"


def _is_any(name: str) -> bool:
    """Whether this path segment of a pattern matches any number of directories."""
    return len(name) > 1 and not name.strip("*")


def _name(pattern: str) -> str:
    """The regular expression for one path segment of a pattern. It matches no slash."""
    pieces = [""]
    for part in _PARTS.findall(pattern):
        if part.startswith("*"):
            pieces.append("")
        elif part == "?":
            pieces[-1] += "[^/]"
        elif part.startswith("[") and len(part) > 2:
            pieces[-1] += _character_class(part)
        else:
            pieces[-1] += re.escape(part[-1])
    if len(pieces) == 1:
        return pieces[0]
    head, *middle, tail = pieces
    return f"{head}{''.join(f'(?>[^/]*?{each})' for each in middle if each)}[^/]*{tail}"


def _character_class(part: str) -> str:
    """The regular expression for a character set such as `[a-c]`, or its complement such as `[!a-c]`."""
    body = part[1:-1]
    is_negated = body[0] in "!^"
    body = body[1:] if is_negated else body
    # Two hyphens would be a set difference in a later version of `re`.
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", body).replace("--", r"-\-")
    expression = f"[{'^' if is_negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:  # a range that ends before it begins matches nothing
        return "(?!)"
    return f"(?!/){expression}"
