"""The store of `status` and `why` if no daemon responds: observed by the command itself."""

from typing import Any

import click

from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.daemon import report


def observed_store(fleet: FleetAccess, why: str) -> dict[str, Any]:
    """Observe the fleet, and take no step. `why` says why the daemon was not asked."""
    announce(fleet.session)
    click.echo(f"{why}; this is a dry run, steps are shown and not taken", err=True)
    own = fleet.reconciler(finds_orphans=True).once(act=False)
    if skipped := skipped_checks_note(each.desired for each in own.states()):
        click.echo(skipped, err=True)
    return report.store(own)
