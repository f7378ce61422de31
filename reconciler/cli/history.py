"""`reconciler history`: the most recent rollouts of a scale set, as recorded by the daemon."""

from typing import Any

import click

from reconciler.cli.options import output_option, server_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("name", shell_complete=complete_names)
@server_option
@output_option
def history(**given: Any) -> None:
    """Show the last rollouts of a scale set, newest first.

    NAME is the name of its spec. The daemon knows the rollouts that have begun since it started, and
    the one in progress when it started. A dash means that a value is unknown, such as the number of instances
    of a rollout that began before the daemon started.
    """
    from reconciler.cli.acts.history import act

    act(**given)
