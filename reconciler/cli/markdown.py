"""A plan or a rehearsal as a comment on a pull request.

If many scale sets roll out, those with the same rollout share a block, so that nothing is said twice. A forge
rejects a comment that is too long. The batches are then omitted, and finally only the first groups are shown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.cli import forecast, plan_text, rehearsal_text
from reconciler.cli.markdown_table import literal, markdown_table, row
from reconciler.cli.plan_text import Group
from reconciler.forge.forge import length
from reconciler.spec.wording import count

Json = Mapping[str, Any]

# GitHub accepts 65,536, counted as in `forge.length`. The rest is for a marker and a heading.
LONGEST = 64_000
_LONGEST_TABLE = 10_000
_LONGEST_LIST = 10_000
_LONGEST_NAMES = 4_000  # of one group
_FEW = 10  # scale sets that are not folded together


def plan(shown: Json, notes: Sequence[str] = (), warnings: Sequence[str] = ()) -> str:
    """The comment for a plan, at most LONGEST characters. `prediction.report` defines `shown`."""
    every_note = (plan_text.base(shown), plan_text.others(shown), *notes)
    return _comment(
        "plan",
        shown,
        _first_line(shown),
        _risks(shown, warnings),
        every_note,
        *map(literal, plan_text.on_failure(shown)),
        *_rehearsal_section(shown),
    )


def rehearsal(shown: Json, notes: Sequence[str] = ()) -> str:
    """The comment for a rehearsal. `rehearsal.report` defines the shape of `shown`."""
    every_note = (
        _first_line(shown),
        plan_text.others(shown),
        rehearsal_text.faults(shown),
        rehearsal_text.approvals(shown),
        *notes,
    )
    halts = _bullets(rehearsal_text.halts(shown))
    return _comment("rehearse", shown, rehearsal_text.summary(shown), halts, every_note)


def _risks(shown: Json, warnings: Sequence[str]) -> str:
    """The paragraph about risks, or "" if nothing rolls out and there is nothing to warn about."""
    if lines := [*warnings, *plan_text.risks(shown)]:
        return f"What could go wrong:\n\n{_bullets(lines)}"
    return "What could go wrong: nothing that is known." if shown["summary"]["rollingOut"] else ""


def _comment(
    verb: str,
    shown: Json,
    first_line: str,
    warnings: str,
    notes: Iterable[str],
    *paragraphs: str,
) -> str:
    """A comment of at most LONGEST characters. `warnings` and `paragraphs` are Markdown already."""
    top = [
        f"**{literal(first_line)}**",
        _table(plan_text.WAVE_HEADER, plan_text.waves(shown)),
        warnings,
        *paragraphs,
        literal("; ".join(filter(None, notes))),
    ]
    head = "\n\n".join(filter(None, top))
    for details in _details(shown):
        text = "\n\n".join([head, *_folded(shown, details)])
        if length(text) <= LONGEST:
            return text
    rest = f"run `reconciler {verb}` for all of them"
    room = LONGEST - length(head) - len(rest) - 200
    fitting = _fit(details, room, lambda left: f"and {count(left, 'more group')}; {rest}")
    return "\n\n".join([head, *_folded(shown, list(fitting))])


def _folded(shown: Json, details: Sequence[str]) -> Sequence[str]:
    """The details of the scale sets. If there are many, they are collapsed, and the summary stays in view."""
    if len(details) <= _FEW:
        return details
    number = count(shown["summary"]["rollingOut"], "scale set")
    return (f"<details><summary>The batches of {number}</summary>", *details, "</details>")


def _rehearsal_section(shown: Json) -> list[str]:
    """The paragraphs about the rehearsal of a plan, or none if it has no rehearsal."""
    summary, halts, rest = rehearsal_text.section(shown)
    return [f"**{literal(summary)}**", _bullets(halts), literal(rest)] if summary else []


def _bullets(lines: Iterable[str]) -> str:
    items = [f"- {literal(each)}" for each in lines]
    return "\n".join(_fit(items, _LONGEST_LIST, lambda left: f"- and {left:,} more"))


def _fit(parts: Sequence[str], longest: int, tell_left: Callable[[int], str]) -> Iterator[str]:
    """As many parts as fit into `longest`, and a last part that counts the omitted ones."""
    used = 0
    for position, each in enumerate(parts):
        used += length(each) + 2
        if used > longest:
            yield tell_left(len(parts) - position)
            return
        yield each


def _first_line(shown: Json) -> str:
    return "; ".join(filter(None, (plan_text.headline(shown), plan_text.timing(shown))))


def _details(shown: Json) -> Iterator[list[str]]:
    """The details of the scale sets in several forms, from the most detailed to the shortest."""
    alone, groups = plan_text.alone(shown), plan_text.groups(shown)
    if len(alone) <= _FEW:
        yield [_block(each, shown["at"], with_batches=True) for each in alone]
    yield [_block(each, shown["at"], with_batches=True) for each in groups]
    yield [_block(each, shown["at"], with_batches=False) for each in groups]


def _block(group: Group, observed_at: str, *, with_batches: bool) -> str:
    heading = f"<summary>{literal(plan_text.group_headline(group, observed_at))}</summary>"
    parts = [_names(plan_text.timed_names(group, observed_at))] if len(group.names) > 1 else []
    if with_batches and len(group.names) == 1 and "timeline" in group.row:
        parts.append(_table(("Time", "What"), rehearsal_text.timeline(group.row, observed_at)))
    elif with_batches:
        lines = [
            (each.numbers, each.text, each.taken)
            for each in forecast.lines(group.row, is_dated=len(group.names) == 1)
        ]
        parts.append(_table(("Batch", "Domain", "Instances"), lines))
    body = "\n\n".join(filter(None, parts))
    return f"<details>{heading}\n\n{body}\n\n</details>"


def _names(names: Sequence[str]) -> str:
    """As many names as fit, and the number of omitted names."""
    return ", ".join(_fit([*map(literal, names)], _LONGEST_NAMES, lambda left: f"and {left:,} more"))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of escaped cells, cut if it is too long, or "" if there are no rows."""
    blank = [""] * (len(header) - 2)
    lines = [row(*map(literal, cells)) for cells in rows]
    shown = _fit(lines, _LONGEST_TABLE, lambda left: row("…", f"and {left:,} more", *blank))
    return markdown_table(header, list(shown))
