"""`reconciler wait`: wait until scale sets reach a certain state."""

from typing import Any

import click

from reconciler.cli.awaited import AwaitedState
from reconciler.cli.duration import Duration
from reconciler.cli.options import server_option
from reconciler.cli.selector import selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@click.option("--all", "is_all", is_flag=True, help="Wait for every scale set.")
@click.option(
    "--for",
    "awaited",
    type=AwaitedState(),
    metavar="STATE",
    default="settled",
    show_default=True,
    help="settled, status=STATUS, or condition=TYPE or condition=TYPE=VALUE.",
)
@click.option("--timeout", type=Duration(), help="Give up after this time.  [default: never]")
@server_option
def wait(**given: Any) -> None:
    """Wait until scale sets reach a state.

    NAMES are the names of their specs. A scale set is settled if nothing more will happen to it without a
    change: it is as declared, suspended, paused or stalled. A pause does not count as success. Asks the
    daemon, and keeps asking while the daemon restarts.
    """
    from reconciler.cli.acts.wait import act

    act(**given)
