"""`reconciler diff`: compare scale sets with their specs."""

from typing import Any

import click

from reconciler.cli.options import fleet_options
from reconciler.cli.selector import selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@fleet_options
def diff(**given: Any) -> None:
    """Show where scale sets differ from their specs.

    NAMES are the names of specs (default: all). Compares the images of the model and of each instance. Reads
    Azure directly, and changes nothing.
    """
    from reconciler.cli.acts.diff import act

    act(**given)
