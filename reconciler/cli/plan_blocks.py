"""A plan as shown on a terminal: what happens to each scale set, what could go wrong, and the summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from reconciler.cli import plan_failure, plan_group, plan_text, rehearsal_text, table
from reconciler.cli.console import wide_console
from reconciler.cli.plan_group import Group

Json = Mapping[str, Any]

MOST_BLOCKS = 10  # more are shown as groups


def plan(found: Json, notes: Sequence[str], shared_with: str = "") -> list[RenderableType]:
    """The parts of a plan. The summary comes last, so that it stays in view.

    See `plan_text.base` for `shared_with`.
    """
    rows, waves = plan_text.rows(found), plan_text.waves(found)
    last = "; ".join(filter(None, (plan_text.base(found, shared_with), plan_text.others(found), *notes)))
    sections: list[list[RenderableType]] = [
        [table.plan(plan_text.ROW_HEADER, rows, wide_console().width)] if rows else [],
        warnings(plan_text.blocks(found), "Blocks:"),
        warnings(plan_text.risks(found), "Risks:"),
        _paragraph("If the image fails", *plan_failure.on_failure(found)),
        _paragraph("To stop it", *plan_failure.how_to_stop(found)),
        rehearsal(found),
        [Text(last, "dim")] if last else [],
        [table.grid(plan_text.WAVE_HEADER, waves)] if waves else [],
        summary(found, plan_text.verdict(found)),
    ]
    shown = [each for section in sections if section for each in (Text(), *section)]
    return shown[1:]


def _paragraph(title: str, *sentences: str) -> list[RenderableType]:
    return [Text.assemble((f"{title}: ", "bold"), " ".join(sentences))] if sentences else []


def rehearsal(found: Json) -> list[RenderableType]:
    """The lines about the rehearsal of a plan, or none if the plan has no rehearsal."""
    summary, halts, rest = rehearsal_text.section(found)
    if not summary:
        return []
    lines: list[RenderableType] = [
        Text(summary, "bold"),
        *(Text(f"! {each}", "yellow") for each in halts),
    ]
    return [*lines, Text(rest, "dim")] if rest else lines


def overview(found: Json) -> list[RenderableType]:
    """The headline, the times, and the waves if there are several."""
    shown = summary(found)
    if waves := plan_text.waves(found):
        shown += [Text(), table.grid(plan_text.WAVE_HEADER, waves)]
    return shown


def summary(found: Json, verdict: str = "") -> list[RenderableType]:
    """The headline, then a line for each sentence about the whole plan."""
    lines = [verdict, *plan_text.timing(found)]
    return [Text(plan_text.headline(found), "bold"), *(Text(each) for each in lines if each)]


def warnings(lines: Sequence[str], title: str = "") -> list[RenderableType]:
    """A list of warnings under a title, or nothing if there are none."""
    if not lines:
        return []
    heading = [Text(title, "bold")] if title else []
    return [*heading, *(Text(f"! {each}", "yellow") for each in lines)]


def groups(found: Json) -> list[Group]:
    """The groups to show, one block each. Every scale set is a group by itself, unless there are many."""
    alone = plan_group.alone(found)
    return alone if len(alone) <= MOST_BLOCKS else plan_group.groups(found)


def block(group: Group, found: Json) -> RenderableType:
    """The rollout of a group: a headline, the scale sets if there are several, and what they wait for."""
    names = [", ".join(plan_group.timed_names(group, found))] if len(group.names) > 1 else []
    lines = [f"  {each}" for each in (*names, *plan_group.waits(group, found["at"]))]
    return Text("\n".join(["", plan_group.headline(group, found), *lines]))
