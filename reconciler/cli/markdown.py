"""A plan as a comment on a pull request.

A forge refuses a comment that is too long, so a large fleet is folded. First, scale sets that roll out alike
share a block. Then the batches are omitted. At last only the first groups are shown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.cli import forecast, plan_text, rehearsal_text
from reconciler.cli.plan_text import Group

Json = Mapping[str, Any]

# Characters that would end a cell, be read as markup, or mention a person.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|@#&~]")
# GitHub accepts 65,536. The rest is for a marker and a heading.
LONGEST = 64_000
_MOST_NAMES = 200  # of one group


def plan(shown: Json, notes: Sequence[str] = (), warnings: Sequence[str] = ()) -> str:
    """The whole comment, at most LONGEST characters. For the shape of a plan see `prediction.report`."""
    every_note = (plan_text.base(shown), plan_text.others(shown), *notes)
    return _comment("plan", shown, _first_line(shown), [*warnings, *plan_text.risks(shown)], every_note)


def rehearsal(shown: Json, notes: Sequence[str] = ()) -> str:
    """The same for a rehearsal. For its shape see `rehearsal.report`."""
    every_note = (
        _first_line(shown),
        plan_text.others(shown),
        rehearsal_text.faults(shown),
        rehearsal_text.approvals(shown),
        *notes,
    )
    return _comment("rehearse", shown, rehearsal_text.summary(shown), rehearsal_text.halts(shown), every_note)


def _comment(verb: str, shown: Json, first_line: str, warnings: Iterable[str], notes: Iterable[str]) -> str:
    top = [
        f"**{_literal(first_line)}**",
        _table(plan_text.WAVE_HEADER, plan_text.waves(shown)),
        "\n".join(f"- {_literal(each)}" for each in warnings),
        _literal("; ".join(filter(None, notes))),
    ]
    head = "\n\n".join(filter(None, top))
    for details in _details(shown):
        text = "\n\n".join([head, *details])
        if len(text) <= LONGEST:
            return text
    return _cut(head, list(_details(shown))[-1], verb)


def _first_line(shown: Json) -> str:
    return "; ".join(filter(None, (plan_text.headline(shown), plan_text.timing(shown))))


def _details(shown: Json) -> Iterator[list[str]]:
    """The scale sets, from the most detailed form to the shortest."""
    alone, groups = plan_text.alone(shown), plan_text.groups(shown)
    yield [_block(each, shown["at"], with_batches=True) for each in alone]
    yield [_block(each, shown["at"], with_batches=True) for each in groups]
    yield [_block(each, shown["at"], with_batches=False) for each in groups]


def _cut(head: str, details: Sequence[str], verb: str) -> str:
    """As many details as fit, and how many are left out."""
    shown, length = [head[:LONGEST]], len(head)
    for position, each in enumerate(details):
        left = f"and {len(details) - position:,} more groups; run `reconciler {verb}` for all of them"
        if length + len(each) + len(left) + 4 > LONGEST:
            return "\n\n".join([*shown, left])
        shown.append(each)
        length += len(each) + 2
    return "\n\n".join(shown)


def _block(group: Group, observed_at: str, *, with_batches: bool) -> str:
    heading = f"<summary>{_literal(plan_text.group_headline(group, observed_at))}</summary>"
    names = group.names[:_MOST_NAMES]
    rest = f" and {len(group.names) - len(names):,} more" if len(group.names) > len(names) else ""
    parts = [_literal(", ".join(names)) + rest] if len(names) > 1 else []
    if with_batches and len(names) == 1 and "timeline" in group.row:
        parts.append(_table(("Time", "What"), rehearsal_text.timeline(group.row, observed_at)))
    elif with_batches:
        lines = [
            (each.numbers, each.text, each.taken)
            for each in forecast.lines(group.row, is_dated=len(names) == 1)
        ]
        parts.append(_table(("Batch", "Domain", "Instances"), lines))
    body = "\n\n".join(filter(None, parts))
    return f"<details>{heading}\n\n{body}\n\n</details>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """ "" without rows."""
    lines = [_row(*map(_literal, cells)) for cells in rows]
    return "\n".join([_row(*header), _row(*["---"] * len(header)), *lines]) if lines else ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _literal(text: str) -> str:
    """The text with every special character escaped.

    >>> _literal("web_0 | <b> @team")
    'web&#95;0 &#124; &#60;b&#62; &#64;team'
    """
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
