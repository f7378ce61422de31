"""`reconciler dismiss`: end the rollout of an orphan without completing it, by changing a tag."""

from typing import Any

import click

from reconciler.cli.options import fleet_options
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, required=True)
@fleet_options
def dismiss(**given: Any) -> None:
    """Dismiss orphans: scale sets whose spec was removed half-way.

    NAMES are the names of orphans, as `reconciler status` shows them. They are no longer listed, and their
    rollouts stay incomplete. The scale sets and their instances stay as they are. The command removes the
    record of the rollout's start from the tag vmss-reconciler-state, and needs permission to write tags. To
    complete a rollout instead, declare the scale set again, for example with `reconciler adopt`.
    """
    from reconciler.cli.acts.dismiss import act

    act(**given)
