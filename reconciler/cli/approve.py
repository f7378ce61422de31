"""`reconciler approve`: approve the declared image of a scale set, with a tag on the scale set."""

from typing import Any

import click

from reconciler.cli.options import fleet_options
from reconciler.cli.person_name import PersonName
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("name", shell_complete=complete_names)
@click.option(
    "--by",
    type=PersonName(),
    metavar="WHO",
    help="Name of the approver, if it is not that of the identity.  [default: the name in the token]",
)
@fleet_options
def approve(**given: Any) -> None:
    """Approve the declared image of a scale set, if `rollout.approval` requires it.

    NAME is the name of its spec. The approval applies to this image only. It is on a tag of the scale set,
    and the approver and the time are on another tag, so that it needs permission to write tags. If the spec
    follows latest, the version that latest means now is approved.
    """
    from reconciler.cli.acts.approve import act

    act(**given)
