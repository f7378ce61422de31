"""`reconciler check`: check in advance whether the first rollout will work. Changes nothing."""

import dataclasses
import json
import sys

import click

from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.finding import Result
from reconciler.cli.readiness import readiness


def act(*, fleet: FleetAccess, output: str) -> None:
    """Check whether the first rollout will work."""
    announce(fleet.session)
    found = []
    for finding in readiness(fleet):
        found.append(finding)
        if output == "table":
            click.echo(str(finding))
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
    if any(each.result is Result.FAIL for each in found):
        sys.exit(FAILURE)
