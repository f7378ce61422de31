"""`reconciler check`: check in advance whether the first rollout will work. Changes nothing."""

from typing import Any

import click

from reconciler.cli.options import fleet_options, output_option
from reconciler.cli.page_options import page_options
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@fleet_options
@page_options
@output_option
def check(**given: Any) -> None:
    """Check whether the first rollout will work.

    Checks the specs, the identity, the network, the clock, the subscriptions, the scale sets, and the actions
    that the role must grant. With the options for the page, these include what its pause needs. Writes
    nothing.
    """
    from reconciler.cli.acts.check import act

    act(**given)
