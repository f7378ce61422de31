"""The store that `status` and `why` show if no daemon responds. The command observes the fleet itself."""

from typing import Any

import click

from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.daemon import report


def observed_store(fleet: FleetAccess, server: str) -> dict[str, Any]:
    """Print a note that no daemon responds at `server`. Then observe the fleet, without taking a step."""
    announce(fleet.session)
    click.echo(f"no daemon responds at {server}, so nothing will happen", err=True)
    own = fleet.reconciler(finds_orphans=True).once(act=False)
    if skipped := skipped_checks_note(each.desired for each in own.states()):
        click.echo(skipped, err=True)
    return {"source": {"kind": "observation", "url": None}, **report.store(own)}
