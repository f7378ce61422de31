"""`reconciler approve`: approve the declared image of a scale set, with tags on the scale set."""

from typing import Any

import click

from reconciler.cli.options import fleet_options
from reconciler.cli.person_name import PersonName
from reconciler.cli.selector import selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@click.option(
    "--by",
    type=PersonName(),
    metavar="WHO",
    help="Name of the approver, if not the identity's own.  [default: the name in the token]",
)
@fleet_options
def approve(**given: Any) -> None:
    """Approve the declared image, where `rollout.approval` needs it.

    NAMES are the names of their specs. The approval applies to this image only. The approval, its time and
    the approver are recorded in two tags of the scale set, so the command needs permission to write tags. If
    the spec follows latest, the current latest version is approved.
    """
    from reconciler.cli.acts.approve import act

    act(**given)
