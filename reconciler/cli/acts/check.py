"""`reconciler check`: check in advance whether the first rollout will work. Changes nothing."""

import sys
from dataclasses import asdict
from typing import Any

import click

from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.finding import Finding, Result
from reconciler.cli.readiness import readiness
from reconciler.cli.structured import STRUCTURED, show_structured
from reconciler.web.page.action import OF_FLEET
from reconciler.web.page.sign_in import SignIn


def act(*, fleet: FleetAccess, sign_in: SignIn | None, output: str) -> None:
    """Check whether the first rollout will work."""
    announce(fleet.session)
    found = []
    for finding in readiness(fleet, page_pauses=sign_in is not None and sign_in.grants.include(*OF_FLEET)):
        found.append(finding)
        if output == "table":
            click.echo(str(finding))
    if output in STRUCTURED:
        show_structured([_plain(each) for each in found], output)
    if any(each.result is Result.FAIL for each in found):
        sys.exit(FAILURE)


def _plain(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "result": str(finding.result)}
