"""`reconciler why`: the reason one scale set is where it is, the evidence, and what would let it go on."""

import difflib
import sys
from typing import Any

import click

from reconciler.cli.options import Fleet, fleet_options
from reconciler.cli.status import board, server_option
from reconciler.daemon.advice import ADVICE

Json = dict[str, Any]


@click.command()
@click.argument("name")
@server_option
@fleet_options
def why(*, name: str, fleet: Fleet, server: str) -> None:
    """Say why a scale set is where it is, and what would let it go on.

    NAME is that of its spec. Asks the daemon; where none answers, looks itself, without changing anything.
    """
    rows = {row["name"]: row for row in board(fleet, server)["scaleSets"]}
    if name not in rows:
        near = difflib.get_close_matches(name, rows, n=1)
        mend = f"did you mean {near[0]}?" if near else "`reconciler status` lists them"
        click.echo(f"error: no spec in force is named {name!r}: {mend}", err=True)
        sys.exit(1)
    click.echo(explained(rows[name]))


def explained(row: Json) -> str:
    """One scale set in a few lines, of the shape of `reconciler.daemon.report.entry`."""
    lines = [f"{row['name']}: {row['standing'] or 'not looked at yet'}"]
    if row["reason"]:
        lines.append(f"{row['reason']}: {row['message']}")
        advice = ADVICE[row["reason"]]
        lines += [f"because   {advice.cause}", f"goes on   {advice.onward}"]
    commit = f", by commit {row['commit'][:10]}" if row["commit"] else ""
    lines.append(f"declared  {row['image']}{commit}")
    if instances := row["instances"]:
        lines.append(f"instances {_counted(instances)}")
        behind = [each for each in instances["domains"] if each["away"] or each["upToDate"] < each["total"]]
        lines += [f"          {each['domain']}: {_counted(each)}" for each in behind]
    if row["at"]:
        lines.append(f"seen      {row['at'][:19].replace('T', ' ')} UTC")
    return "\n".join(lines)


def _counted(instances: Json) -> str:
    return f"{instances['upToDate']} of {instances['total']} up to date, {instances['away']} away"
