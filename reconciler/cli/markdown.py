"""A plan or a rehearsal as a comment on a pull request.

If many scale sets roll out, those with the same rollout share a block, so that nothing is said twice. A forge
rejects a comment that is too long. To stay within the limit, the details of the groups are left out first,
and then the last groups.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.cli import plan_failure, plan_group, plan_text, rehearsal_text
from reconciler.cli.markdown_table import literal, markdown_table, row
from reconciler.cli.plan_group import Group
from reconciler.forge.forge import length
from reconciler.spec.wording import count

Json = Mapping[str, Any]

# GitHub accepts 65,536, counted as in `forge.length`. The rest is for a marker and a heading.
LONGEST = 64_000
_LONGEST_TABLE = 10_000
_LONGEST_LIST = 10_000
_LONGEST_NAMES = 4_000  # of one group
_FEW = 10  # scale sets that are not folded together


def plan(shown: Json, notes: Sequence[str] = (), warnings: Sequence[str] = (), shared_with: str = "") -> str:
    """The comment for a plan, of at most LONGEST characters.

    `shown` has the shape of `reconciler.prediction.report`. See `plan_text.base` for `shared_with`.
    """
    return _comment(
        "plan",
        shown,
        f"**{literal(plan_text.headline(shown))}**",
        _verdict(shown),
        _lines(*plan_text.timing(shown)),
        _waves(shown),
        _blocks(shown),
        _risks(shown, warnings),
        _paragraph("If the image fails", *plan_failure.on_failure(shown)),
        _paragraph("To stop it", *plan_failure.how_to_stop(shown)),
        *_rehearsal_section(shown),
        _notes(plan_text.base(shown, shared_with), plan_text.others(shown), *notes),
    )


def rehearsal(shown: Json, notes: Sequence[str] = ()) -> str:
    """The comment for a rehearsal. `shown` has the shape of `reconciler.rehearsal.report`."""
    return _comment(
        "rehearse",
        shown,
        f"**{literal(rehearsal_text.summary(shown))}**",
        _lines(f"{plan_text.headline(shown)}.", *plan_text.timing(shown)),
        _waves(shown),
        _bullets(rehearsal_text.halts(shown)),
        _notes(
            plan_text.others(shown), rehearsal_text.faults(shown), rehearsal_text.approvals(shown), *notes
        ),
    )


def _verdict(shown: Json) -> str:
    """The verdict, in bold if any scale set is blocked."""
    text = literal(plan_text.verdict(shown))
    return f"**{text}**" if text and plan_text.blocks(shown) else text


def _lines(*sentences: str) -> str:
    return "<br>\n".join(literal(each) for each in sentences if each)


def _paragraph(title: str, *sentences: str) -> str:
    return f"**{title}:** {' '.join(map(literal, sentences))}" if sentences else ""


def _notes(*notes: str) -> str:
    return literal("; ".join(filter(None, notes)))


def _waves(shown: Json) -> str:
    return _table(plan_text.WAVE_HEADER, plan_text.waves(shown))


def _blocks(shown: Json) -> str:
    """A list of what keeps scale sets from being upgraded, or "" if nothing does."""
    if not (lines := plan_text.blocks(shown)):
        return ""
    rest = "; nothing is written to them" if plan_text.are_untouched(shown) else ""
    return f"**Blocks** (what keeps scale sets from being upgraded{rest}):\n\n{_bullets(lines)}"


def _risks(shown: Json, warnings: Sequence[str]) -> str:
    """A list of the risks, or "" if nothing rolls out and there is nothing to warn about."""
    if lines := [*warnings, *plan_text.risks(shown)]:
        return f"**Risks:**\n\n{_bullets(lines)}"
    return "**Risks:** none that is known" if shown["summary"]["rollingOut"] else ""


def _comment(verb: str, shown: Json, *paragraphs: str) -> str:
    """A comment of at most LONGEST characters. `paragraphs` are already Markdown."""
    head = "\n\n".join(filter(None, paragraphs))
    for details in _details(shown):
        text = "\n\n".join([head, *_folded(shown, details)])
        if length(text) <= LONGEST:
            return text
    rest = f"run `reconciler {verb}` for all of them"
    room = LONGEST - length(head) - len(rest) - 200
    fitting = _fit(details, room, lambda left: f"and {count(left, 'more group')}; {rest}")
    return "\n\n".join([head, *_folded(shown, list(fitting))])


def _folded(shown: Json, details: Sequence[str]) -> Sequence[str]:
    """Fold the details of the scale sets if there are many, so that the summary stays in view."""
    if len(details) <= _FEW:
        return details
    number = count(shown["summary"]["rollingOut"], "scale set")
    return (f"<details><summary>The rollouts of {number}</summary>", *details, "</details>")


def _rehearsal_section(shown: Json) -> list[str]:
    """The paragraphs about the rehearsal of a plan, or none if the plan has no rehearsal."""
    summary, halts, rest = rehearsal_text.section(shown)
    return [f"**{literal(summary)}**", _bullets(halts), literal(rest)] if summary else []


def _bullets(lines: Iterable[str]) -> str:
    items = [f"- {literal(each)}" for each in lines]
    return "\n".join(_fit(items, _LONGEST_LIST, lambda left: f"- and {left:,} more"))


def _fit(parts: Sequence[str], longest: int, tell_left: Callable[[int], str]) -> Iterator[str]:
    """As many parts as fit into `longest` characters, and a last part that counts the omitted parts."""
    used = 0
    for position, each in enumerate(parts):
        used += length(each) + 2
        if used > longest:
            yield tell_left(len(parts) - position)
            return
        yield each


def _details(shown: Json) -> Iterator[list[str]]:
    """The details of the scale sets in several forms, from the most detailed to the shortest."""
    alone, groups = plan_group.alone(shown), plan_group.groups(shown)
    blocked = [_block(title, _names(names)) for title, names in plan_text.cut_names(shown)]
    if len(alone) <= _FEW:
        yield [*(_course(each, shown) for each in alone), *blocked]
    yield [*(_course(each, shown) for each in groups), *blocked]
    yield [*(f"- {literal(plan_group.headline(each, shown))}" for each in groups), *blocked]


def _course(group: Group, shown: Json) -> str:
    """A block about a group: its scale sets with their times, and what they wait for."""
    parts = [_names(plan_group.timed_names(group, shown))] if len(group.names) > 1 else []
    if len(group.names) == 1 and "timeline" in group.row:
        parts.append(_table(("Time", "What"), rehearsal_text.timeline(group.row, shown["at"])))
    else:
        parts += map(literal, plan_group.details(group, shown["at"]))
    return _block(plan_group.headline(group, shown), "\n\n".join(filter(None, parts)))


def _block(title: str, body: str) -> str:
    """A block that is folded to its title."""
    return f"<details><summary>{literal(title)}</summary>\n\n{body}\n\n</details>"


def _names(names: Sequence[str]) -> str:
    """As many names as fit, and the number of omitted names."""
    return ", ".join(_fit([*map(literal, names)], _LONGEST_NAMES, lambda left: f"and {left:,} more"))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of escaped cells, cut if it is too long, or "" if there are no rows."""
    blank = [""] * (len(header) - 2)
    lines = [row(*map(literal, cells)) for cells in rows]
    shown = _fit(lines, _LONGEST_TABLE, lambda left: row("…", f"and {left:,} more", *blank))
    return markdown_table(header, list(shown))
