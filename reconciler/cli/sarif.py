"""Validation errors as SARIF 2.1.0, which GitHub code scanning and other services read."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.spec.problem import Place, Problem

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# A result has the rule of its level. The field is only in its text: it may be a typo.
_RULES: Mapping[str, tuple[str, str]] = {
    "error": ("invalid-spec", "A spec has an error and is not followed."),
    "warning": ("skipped-spec", "A file or document is probably meant as a spec, but is not read as one."),
}
_LINK = re.compile(r"\]\(")


def sarif(errors: Sequence[Problem], warnings: Sequence[Problem]) -> dict[str, Any]:
    """A SARIF log with one run, which has a result for each problem."""
    rules = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for level, (name, text) in _RULES.items()
    ]
    driver = {"name": "reconciler", "semanticVersion": __version__, "rules": rules}
    found = [_result("error", each) for each in errors] + [_result("warning", each) for each in warnings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": found}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(level: str, problem: Problem) -> dict[str, Any]:
    text = problem.text
    if _LINK.search(text):  # of a spec; it would be shown as a link
        text = re.sub(r"([\\\[\]])", r"\\\1", text)
    return {
        "ruleId": _RULES[level][0],
        "ruleIndex": list(_RULES).index(level),
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(problem.place)}],
    }


def _location(place: Place) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file)}}
    if place.line:
        location["region"] = {"startLine": place.line, "startColumn": place.column}
    return location


def _uri(path: str) -> str:
    """The URI of a path: a relative reference if the path is relative, or else a file URI.

    >>> _uri("specs/a b.yaml"), _uri("/srv/specs/web.yaml")
    ('specs/a%20b.yaml', 'file:///srv/specs/web.yaml')
    """
    return Path(path).as_uri() if path.startswith("/") else quote(path)
