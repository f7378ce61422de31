"""Rewords the errors of the YAML parser, so that each message says how to fix the error.

PyYAML has two parsers with different wordings: libyaml and its own. Each row below covers both. An error that
matches no row keeps the words of the parser.
"""

import re

import yaml
from yaml.error import Mark, MarkedYAMLError

from reconciler.spec.problem import Place, Problem
from reconciler.spec.text import lines
from reconciler.spec.wording import printable, shorten

_TAB = "tabs cannot be used for indentation: use spaces"
_INDENTATION = "inconsistent indentation: begin this line in the same column as the lines it belongs to"
_FLOW = "the BRACKET in line OPENED is not closed, or a comma is missing here: add it"

# Patterns for the context and the problem that the parser reports, and the message. The first match counts.
# If the message is empty, it depends on the line.
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
            "invalid escape sequence in double quotes: double the backslash or use single quotes",
        ),
        ("flow mapping", "expected ',' or '}'", _FLOW.replace("BRACKET", "{")),
        ("flow sequence", "expected ',' or '\\]'", _FLOW.replace("BRACKET", "[")),
        (
            "simple key",
            "expected ':'",
            "this line is not a field: write name: value, with a colon and a space",
        ),
        ("alias|anchor", "alphabetic or numeric", "a value cannot begin with CHARACTER: quote it"),
        ("block scalar", "", "text after | or > must begin on the next line: move it there, or quote it"),
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
            "unexpected second colon: quote the value if the colon is part of it, or correct the indentation",
        ),
        (
            "",
            "sequence entries are not allowed",
            "a list cannot begin here: begin a new line with -",
        ),
        ("", "<document start>|unexpected document indicator", ""),
        ("", "mapping keys are not allowed", "a value cannot begin with ?: quote it"),
        (
            "plain scalar",
            "unexpected ':'",
            "unexpected colon inside { } or [ ]: quote the value that contains it",
        ),
        ("", "node content", "a value is missing here: write one, or quote it if it begins with a bracket"),
        (
            "",
            "directive|incompatible YAML",
            "YAML directives, which begin with %, are not supported: remove this line",
        ),
    )
)


def syntax_problem(error: yaml.YAMLError, text: str, path: str) -> Problem:
    """The problem for a YAML error, at the place of the error in the text."""
    if not isinstance(error, MarkedYAMLError) or (mark := error.problem_mark or error.context_mark) is None:
        return Problem(Place(path), "", f"invalid YAML: {shorten(' '.join(str(error).split()))}")
    rows = lines(text)
    if tab := _tab(rows, mark):
        return Problem(Place(path, mark.line + 1, tab), "", _TAB)
    message = _message(error, mark, rows)
    if "quote is not closed" in message and error.context_mark:
        mark = error.context_mark  # where the quote opens: the parser reports the end of the file
    return Problem(Place(path, mark.line + 1, mark.column + 1), "", message)


def _message(error: MarkedYAMLError, mark: Mark, rows: list[str]) -> str:
    problem, context = error.problem or "", error.context or ""
    for in_context, about, message in _MESSAGES:
        if in_context.search(context) and about.search(problem):
            opened = (error.context_mark or mark).line + 1
            filled = message.replace("CHARACTER", _character(rows, mark)).replace("OPENED", str(opened))
            return filled or _misplaced_line(rows, mark)
    return f"invalid YAML: {printable(problem)}"


def _misplaced_line(rows: list[str], mark: Mark) -> str:
    """The error for a line that does not continue the mapping around it."""
    row = rows[mark.line] if mark.line < len(rows) else ""
    if row[: mark.column].strip():
        return "unexpected text after the value: quote the whole value, or remove the text"
    if row[mark.column :].startswith("- "):
        return "unexpected list item between fields: indent it below the field it belongs to"
    return _INDENTATION


def _tab(rows: list[str], mark: Mark) -> int | None:
    """The column of a tab, in the indentation or at the point where the parser stopped, or None."""
    row = rows[mark.line] if mark.line < len(rows) else ""
    blanks = row[: len(row) - len(row.lstrip(" \t"))]
    if "\t" in blanks:
        return blanks.index("\t") + 1
    return mark.column + 1 if row[mark.column : mark.column + 1] == "\t" else None


def _character(rows: list[str], mark: Mark) -> str:
    """The character that the parser does not accept.

    After * and &, the parser stops one character too late.
    """
    row = rows[mark.line] if mark.line < len(rows) else ""
    before = row[mark.column - 1 : mark.column]
    return before if before in ("*", "&") else printable(row[mark.column : mark.column + 1])
