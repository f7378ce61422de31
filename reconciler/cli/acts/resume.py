"""`reconciler resume`: lift a pause of the fleet or of scale sets."""

from functools import partial

import click

from reconciler.acts.pause import remove_pause
from reconciler.cli.access import FleetAccess
from reconciler.cli.acts.pausing import change_tags, scope_of
from reconciler.cli.announcement import announce
from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post
from reconciler.cli.failure import fail
from reconciler.cli.pausing import check_scope
from reconciler.cli.tagging import check_permitted
from reconciler.spec.fleet import PauseTag
from reconciler.spec.label import Requirement


def act(
    *,
    names: tuple[str, ...],
    is_all: bool,
    selector: tuple[Requirement, ...] | None,
    pause_tag: PauseTag | None,
    server: str,
    fleet: FleetAccess,
) -> None:
    """Resume the fleet or scale sets that `reconciler pause` has paused."""
    check_scope(names, selector, is_all=is_all, is_tag_given=pause_tag is not None)
    scope = scope_of(fleet.specs, names, selector, pause_tag, is_all=is_all, actions=("removed", "resumed"))
    if pause_tag is not None:
        fleet.specs.refresh()  # the Fleet may bar it; where the specs cannot be read, nothing is known to
    check_permitted(fleet.specs.scale_sets, "resume")
    announce(fleet.session)
    if not change_tags(scope, partial(remove_pause, fleet.session)):
        fail("not every tag was removed; run the command again")
    if is_all:
        _tell(server)


def _tell(server: str) -> None:
    """Notify the running daemon, which would otherwise notice only at its next sweep."""
    try:
        click.echo(f"daemon at {server}: {post(server, '/resume', {})}")
    except DaemonUnreachable as unreachable:
        click.echo(f"{unreachable}; a daemon elsewhere continues at its next sweep", err=True)
    except DaemonRefused as refused:
        click.echo(
            f"the daemon at {server} was not notified ({refused}), but continues at its next sweep", err=True
        )
