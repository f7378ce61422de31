"""`reconciler retry`: retry a failed image, by changing a tag on its scale sets."""

from typing import Any

import click

from reconciler.cli.options import fleet_options
from reconciler.cli.selector import selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@click.option(
    "--image",
    "reference",
    metavar="IMAGE",
    help="Retry this image in every scale set where it has failed; give its name as in messages, or in full.",
)
@fleet_options
def retry(**given: Any) -> None:
    """Retry an image that has failed, or a rollout that has stopped.

    NAMES are the names of specs. Earlier failures of their images (rollbacks, steps without effect, missed
    deadlines) no longer count. Gates and unhealthy instances still count, so a scale set whose upgraded
    instances are still unhealthy stays failed. With --image, an image that has failed in some scale sets may
    be rolled out to others again (ImageFailedElsewhere). The retry is recorded in the tag
    vmss-reconciler-state, so the command needs permission to write tags.
    """
    from reconciler.cli.acts.retry import act

    act(**given)
