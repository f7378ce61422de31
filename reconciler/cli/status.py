"""`reconciler status`: the status of every scale set, from the running daemon or else from Azure."""

from typing import Any

import click

from reconciler.cli.live_options import subscription_option
from reconciler.cli.options import fleet_on_demand, server_option
from reconciler.cli.row_filter import ORDER
from reconciler.cli.selector import selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


class Statuses(click.ParamType[tuple[str, ...]]):
    """Status words, separated by commas: failing,waiting."""

    name = "statuses"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        known = {each.casefold(): str(each) for each in ORDER}
        words = [word.strip().casefold() for word in value.split(",")]
        for word in words:
            if word not in known:
                self.fail(f"{word!r} is not a status; choose from {', '.join(known)}", param, ctx)
        return tuple(known[word] for word in words)


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@click.option(
    "--status",
    "statuses",
    type=Statuses(),
    default=(),
    metavar="STATUS",
    help=f"Only scale sets with one of these, separated by commas: {', '.join(map(str.casefold, ORDER))}.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    help=(
        "Only scale sets that declare this image or have it on their model. Give its short "
        "(24.04.2) or full name."
    ),
)
@subscription_option("Scale sets of this subscription (repeatable).")
@click.option(
    "-w",
    "--watch",
    "is_watching",
    is_flag=True,
    help="Keep the table up to date until Ctrl-C, with a heat map if exactly one NAME is given. "
    "In a pipe, print a line for each change.",
)
@click.option(
    "--instances",
    "with_instances",
    is_flag=True,
    help="List every instance as csv or json, read from Azure; only --status asks the daemon.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "json", "yaml", "name", "markdown", "svg", "csv"]),
    default="table",
    show_default=True,
    help="Output format. name prints the names for other commands; svg is a picture; csv needs --instances.",
)
@server_option
@fleet_on_demand
def status(**given: Any) -> None:
    """Show the status of every scale set.

    Problems come first: Stalled, Failing, Orphaned, Reconciling, Waiting, not checked yet, Suspended, Ready.
    With NAMES or filters, only the scale sets that match all of them are shown. Asks the daemon. If no daemon
    responds, the command reads the specs and Azure directly. It changes nothing.
    """
    from reconciler.cli.acts.status import act

    act(**given)
