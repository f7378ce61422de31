"""A plan as a comment on a pull request: a table of the scale sets, and the batches of each in details."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.cli import forecast

Json = Mapping[str, Any]

# Characters that would end a cell, be read as markup, or mention a person.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|@#&~]")


def plan(rows: Sequence[Json], summary: str) -> str:
    """The whole comment. Rows have the shape of `reconciler.daemon.report.state`."""
    table = [
        _row("Scale set", "Step", "Up to date", "Why"),
        _row("---", "---", "---", "---"),
        *(_row(*map(_literal, _cells(row))) for row in rows),
    ]
    details = [_details(row) for row in rows if row["forecast"]]
    return "\n\n".join(["\n".join(table), _literal(summary), *details])


def _cells(row: Json) -> Iterable[str]:
    yield row["name"]
    yield row["step"]["kind"] if row["step"] else "-"
    yield f"{row['instances']['upToDate']}/{row['instances']['total']}" if row["instances"] else "-"
    yield f"{row['reason']}: {row['message']}" if row["reason"] else "not checked yet"


def _details(row: Json) -> str:
    lines = [_row(*map(_literal, (each.numbers, each.text, each.taken))) for each in forecast.lines(row)]
    heading = f"<summary>{_literal(row['name'])}: {_literal(forecast.headline(row))}</summary>"
    batches = "\n".join([_row("Batch", "Domain", "Instances"), _row("---", "---", "---"), *lines])
    return f"<details>{heading}\n\n{batches}\n\n</details>"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _literal(text: str) -> str:
    """The text with every special character escaped.

    >>> _literal("web_0 | <b> @team")
    'web&#95;0 &#124; &#60;b&#62; &#64;team'
    """
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
