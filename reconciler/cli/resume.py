"""`reconciler resume`: lift a pause of the fleet or of scale sets."""

from typing import Any

import click

from reconciler.cli.options import fleet_options, server_option
from reconciler.cli.pausing import pause_tag_option
from reconciler.cli.selector import selector_option
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Resume the whole fleet.")
@selector_option
@pause_tag_option
@server_option
@fleet_options
def resume(**given: Any) -> None:
    """Resume the fleet or scale sets after `reconciler pause`.

    Every rollout continues where it stopped. With --all, the tag is removed from the resource group in
    `spec.pauseTag` of the Fleet, and scale sets that were paused by name stay paused. If the Fleet names no
    resource group, the tag is removed from every declared scale set. The running daemon then reads the tags
    again.
    """
    from reconciler.cli.acts.resume import act

    act(**given)
