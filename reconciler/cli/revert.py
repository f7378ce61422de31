"""`reconciler revert`: declare the last good image of a scale set again, in its spec file."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.options import azure_options
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("name", shell_complete=complete_names)
@click.option(
    "--specs",
    type=click.Path(path_type=Path, exists=True),
    default="specs",
    show_default=True,
    envvar="VMSS_RECONCILER_SPECS",
    show_envvar=True,
    help="The spec files to change.",
)
@azure_options
def revert(**given: Any) -> None:
    """Declare the last good image of a scale set again.

    NAME is the name of its spec. The last good image is read from a tag of the scale set. Only the file
    changes. Nothing happens in Azure until you commit it. If other scale sets refer to the same Image
    document, they revert too, and the command names them.
    """
    from reconciler.cli.acts.revert import act

    act(**given)
