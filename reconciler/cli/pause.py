"""`reconciler pause`: stop all writes to the fleet or to scale sets, with a tag instead of a commit."""

from typing import Any

import click

from reconciler.cli.options import fleet_options, server_option
from reconciler.cli.pausing import pause_tag_option
from reconciler.cli.selector import selector_option
from reconciler.cli.until import Until
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1)
@click.option(
    "--all", "is_all", is_flag=True, help="Pause the whole fleet, including scale sets declared later."
)
@selector_option
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown in messages.")
@click.option(
    "--until",
    type=Until(),
    help="Planned end, such as 2h or 2027-01-02T08:00Z. It is only shown: nothing resumes by itself.",
)
@click.option("--by", metavar="WHO", help="Who pauses.  [default: the name in the token]")
@pause_tag_option
@server_option
@fleet_options
def pause(**given: Any) -> None:
    """Pause the fleet or scale sets until `reconciler resume`.

    Meanwhile nothing is written to them. With --all, the running daemon stops writing at once. The tag
    vmss-reconciler-pause is written to the resource group in `spec.pauseTag` of the Fleet, and every daemon
    reads that tag before each write. If the Fleet names no resource group, the tag is written to every
    declared scale set. With NAMES or --selector, it is written to those scale sets. The command needs
    permission to write tags, but it does not need a daemon. Azure finishes a batch that is in progress.
    """
    from reconciler.cli.acts.pause import act

    act(**given)
