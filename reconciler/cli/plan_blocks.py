"""A plan for a terminal: lines about the whole plan, then a block for each scale set or group."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from reconciler.cli import forecast, plan_text, rehearsal_text, table
from reconciler.cli.console import wide_console

Json = Mapping[str, Any]

MOST_BLOCKS = 10  # more are shown as groups


def plan(found: Json, notes: Sequence[str]) -> list[RenderableType]:
    """The parts of a plan: headline, waves, risks, every scale set, and the batches."""
    shown: list[RenderableType] = [*overview(found), *warnings(plan_text.risks(found))]
    if lines := plan_text.on_failure(found):
        shown += [Text(), *map(Text, lines)]
    shown += rehearsal(found)
    if found["scaleSets"]:
        shown += [Text(), table.plan(found["scaleSets"], wide_console().width)]
    if last := "; ".join(filter(None, (plan_text.base(found), plan_text.others(found), *notes))):
        shown.append(Text(last, "dim"))
    return [*shown, *(block(each, found["at"]) for each in groups(found))]


def rehearsal(found: Json) -> list[RenderableType]:
    """The lines about the rehearsal of a plan, or none if it has no rehearsal."""
    summary, halts, rest = rehearsal_text.section(found)
    if not summary:
        return []
    lines: list[RenderableType] = [
        Text(),
        Text(summary, "bold"),
        *(Text(f"! {each}", "yellow") for each in halts),
    ]
    return [*lines, Text(rest, "dim")] if rest else lines


def overview(found: Json) -> list[RenderableType]:
    """The headline, the times, and the waves if there are several."""
    shown: list[RenderableType] = [Text(plan_text.headline(found), "bold")]
    if timing := plan_text.timing(found):
        shown.append(Text(timing))
    if waves := plan_text.waves(found):
        shown += [Text(), table.grid(plan_text.WAVE_HEADER, waves)]
    return shown


def warnings(lines: Sequence[str]) -> list[RenderableType]:
    return [Text(), *(Text(f"! {each}", "yellow") for each in lines)] if lines else []


def groups(found: Json) -> list[plan_text.Group]:
    """The groups that have a block. Each scale set is a group by itself, unless there are many."""
    alone = plan_text.alone(found)
    return alone if len(alone) <= MOST_BLOCKS else plan_text.groups(found)


def block(group: plan_text.Group, at: str) -> RenderableType:
    """The forecast of a group: a headline, then the batches."""
    shown = forecast.lines(group.row, is_dated=len(group.names) == 1)
    width = max((len(each.text) for each in shown if each.taken), default=0)
    lines = [f"{each.numbers:>6}  {each.text:{width}}  {each.taken}".rstrip() for each in shown]
    return Text("\n".join(["", plan_text.group_headline(group, at), *lines]))
