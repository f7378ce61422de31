"""The parser's complaints in words that name the mend.

PyYAML has two parsers with two wordings, libyaml's and its own; each row below covers both. A complaint that
no row knows is passed on as it is: it still has its place.
"""

import re

import yaml
from yaml.error import Mark, MarkedYAMLError

from reconciler.spec.problem import Place, Problem
from reconciler.spec.text import lines
from reconciler.spec.wording import printable, shorten

_TAB = "a tab cannot be used for indentation; use spaces"
_INDENTATION = "this line is indented unlike the lines it belongs to: begin it in the same column as they do"
_FLOW = "the BRACKET opened in line OPENED is not closed, or a comma is missing before this: add it"

# (what the parser says of the context, what it says is wrong, our message), the first that fits counts; an
# empty message: it depends on the line.
_MESSAGES = tuple(
    (re.compile(context), re.compile(problem), message)
    for context, problem, message in (
        (
            "quoted scalar",
            "unexpected end of stream|document separator",
            "this quote is not closed: close it",
        ),
        (
            "quoted scalar",
            "escape character|hexadecimal|escape sequence|escape code",
            "a backslash in double quotes begins an escape, and this is none: double it or use single quotes",
        ),
        ("flow mapping", "expected ',' or '}'", _FLOW.replace("BRACKET", "{")),
        ("flow sequence", "expected ',' or '\\]'", _FLOW.replace("BRACKET", "[")),
        (
            "simple key",
            "expected ':'",
            "this line is no field: a field is written name: value, with a colon and a space",
        ),
        ("alias|anchor", "alphabetic or numeric", "a value cannot begin with CHARACTER: quote it"),
        ("block scalar", "", "after | or > the text begins in the next line: move it there, or quote it"),
        ("tag", "", "a value cannot begin with !: quote it"),
        ("", "cannot start any token", "a value cannot begin with CHARACTER: quote it"),
        ("", "undefined tag handle", "a value cannot begin with !: quote it"),
        ("block mapping", "<block mapping start>|expected key", ""),
        ("block mapping", "<block end>", ""),
        (
            "block collection",
            "",
            "this line does not belong to the list above: begin it with - or indent it less",
        ),
        (
            "",
            "mapping values are not allowed",
            "a second colon in one field: quote the value if the colon is part of it, or indent it alike",
        ),
        (
            "",
            "sequence entries are not allowed",
            "a list cannot begin here: put - at the start of a line of its own",
        ),
        ("", "<document start>|unexpected document indicator", ""),
        ("", "mapping keys are not allowed", "a value cannot begin with ?: quote it"),
        ("plain scalar", "unexpected ':'", "a colon inside { } or [ ]: quote the value that it is part of"),
        ("", "node content", "a value is missing here: write one, or quote it if it begins with a bracket"),
        ("", "directive|incompatible YAML", "lines that begin with % are not read: remove this one"),
    )
)


def syntax_problem(error: yaml.YAMLError, text: str, path: str) -> Problem:
    """Why the text is no YAML, and where."""
    if not isinstance(error, MarkedYAMLError) or (mark := error.problem_mark or error.context_mark) is None:
        return Problem(Place(path), "", f"is not YAML: {shorten(' '.join(str(error).split()))}")
    rows = lines(text)
    if tab := _tab(rows, mark):
        return Problem(Place(path, mark.line + 1, tab), "", _TAB)
    message = _message(error, mark, rows)
    if "quote is not closed" in message and error.context_mark:
        mark = error.context_mark  # where the quote opens: the parser finds out at the end of the file
    return Problem(Place(path, mark.line + 1, mark.column + 1), "", message)


def _message(error: MarkedYAMLError, mark: Mark, rows: list[str]) -> str:
    said, context = error.problem or "", error.context or ""
    for in_context, about, message in _MESSAGES:
        if in_context.search(context) and about.search(said):
            opened = (error.context_mark or mark).line + 1
            filled = message.replace("CHARACTER", _character(rows, mark)).replace("OPENED", str(opened))
            return filled or _misplaced_line(rows, mark)
    return f"is not YAML: {printable(said)}"


def _misplaced_line(rows: list[str], mark: Mark) -> str:
    """What is wrong with a line that does not continue the mapping it stands in."""
    row = rows[mark.line] if mark.line < len(rows) else ""
    if row[: mark.column].strip():
        return "the value ends before this: quote the whole of it, or remove what follows"
    if row[mark.column :].startswith("- "):
        return "a list item among fields: indent it under the field it belongs to"
    return _INDENTATION


def _tab(rows: list[str], mark: Mark) -> int | None:
    """The column of a tab among the blanks that the line begins with, or right where the parser stopped."""
    row = rows[mark.line] if mark.line < len(rows) else ""
    blanks = row[: len(row) - len(row.lstrip(" \t"))]
    if "\t" in blanks:
        return blanks.index("\t") + 1
    return mark.column + 1 if row[mark.column : mark.column + 1] == "\t" else None


def _character(rows: list[str], mark: Mark) -> str:
    """The character that the parser stopped at; for * and & it stops one behind."""
    row = rows[mark.line] if mark.line < len(rows) else ""
    before = row[mark.column - 1 : mark.column]
    return before if before in ("*", "&") else printable(row[mark.column : mark.column + 1])
