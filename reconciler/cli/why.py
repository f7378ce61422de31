"""`reconciler why`: the status of one scale set, its reason, the evidence, and the next step."""

from typing import Any

import click

from reconciler.cli.options import fleet_on_demand, output_option, server_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("name", shell_complete=complete_names)
@server_option
@fleet_on_demand
@output_option
def why(**given: Any) -> None:
    """Explain the status of a scale set, and what would let it continue.

    NAME is the name of its spec. Asks the daemon. If no daemon responds, the command reads Azure directly. It
    changes nothing.
    """
    from reconciler.cli.acts.why import act

    act(**given)
