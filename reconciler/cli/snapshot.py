"""`reconciler snapshot`: print live scale sets as a fleet file for the simulator."""

from typing import Any

import click

from reconciler.cli.live_options import (
    resource_group_option,
    subscription_option,
)
from reconciler.cli.options import azure_options
from reconciler.cli.selector import selector_option
from reconciler.cli.source import specs_options
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@subscription_option("Read this subscription instead of the specs (repeatable).")
@resource_group_option
@specs_options
@azure_options
def snapshot(**given: Any) -> None:
    """Print live scale sets as a fleet file, for a simulation.

    NAMES are the names of specs or, with --subscription, of scale sets. They may contain * and ?. The default
    is all of them. The file also has the images that the specs declare. It contains the tags of the scale
    sets, but no extension settings. What a fleet file cannot express is listed on standard error. Nothing is
    written to Azure.
    """
    from reconciler.cli.acts.snapshot import act

    act(**given)
