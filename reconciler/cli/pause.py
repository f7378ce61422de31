"""`reconciler pause`: stop all writes to the fleet or to scale sets, with a tag instead of a commit."""

from typing import Any

import click

from reconciler.cli.options import fleet_options, server_option
from reconciler.cli.pausing import pause_tag_option
from reconciler.cli.required_option import RequiredOption
from reconciler.cli.selector import selector_option
from reconciler.cli.until import Until
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1)
@click.option(
    "--all", "is_all", is_flag=True, help="Pause the whole fleet, including scale sets declared later."
)
@selector_option
@click.option(
    "--reason",
    cls=RequiredOption,
    example='--reason "checkout is down"',
    metavar="TEXT",
    help="Why; shown in messages.",
)
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

    Meanwhile nothing is written to them. Azure finishes a batch that is in progress.

    With NAMES or --selector, the tag vmss-reconciler-pause is written to those scale sets. With --all, it is
    written to the resource group in `spec.pauseTag` of the Fleet or, if the Fleet names none, to every
    declared scale set, and a running daemon stops writing at once. Every daemon reads the tag before each
    write. The command needs permission to write tags, but no daemon.
    """
    from reconciler.cli.acts.pause import act

    act(**given)
