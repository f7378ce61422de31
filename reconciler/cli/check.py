"""`reconciler check`: check in advance whether the first rollout will work. Changes nothing."""

import dataclasses
import json
import sys

import click

from reconciler.cli.announcement import announce
from reconciler.cli.finding import Result
from reconciler.cli.options import FleetAccess, fleet_options, output_option
from reconciler.cli.readiness import readiness
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@fleet_options
@output_option
def check(*, fleet: FleetAccess, output: str) -> None:
    """Check whether the first rollout will work.

    Checks the specs, the identity, the network, the clock, the subscriptions, the scale sets, and the actions
    that the role must grant. Writes nothing. Exit 1 if any check fails.
    """
    announce(fleet.session)
    found = []
    for finding in readiness(fleet):
        found.append(finding)
        if output == "table":
            click.echo(str(finding))
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
    if any(each.result is Result.FAIL for each in found):
        sys.exit(1)
