"""`reconciler status`: the status of every scale set, from the running daemon."""

from typing import Any

import click

from reconciler.cli.options import fleet_on_demand, output_option, server_option
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@server_option
@fleet_on_demand
@output_option
def status(**given: Any) -> None:
    """Show the status of every scale set.

    Asks the daemon. If no daemon responds, the command reads the specs and Azure directly. It changes
    nothing.
    """
    from reconciler.cli.acts.status import act

    act(**given)
