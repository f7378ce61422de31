"""`reconciler resume`: lift a pause of the fleet or of scale sets."""

from functools import partial

import click

from reconciler.azure.session import Session
from reconciler.azure.tags import delete_tags, read_tags
from reconciler.cli.access import FleetAccess
from reconciler.cli.acts.pausing import change_tags, scope_of
from reconciler.cli.announcement import announce
from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post
from reconciler.cli.failure import fail
from reconciler.cli.pausing import check_scope
from reconciler.cli.tagging import check_permitted
from reconciler.rollout.pause import PAUSE, pause_in
from reconciler.rollout.refusal import describe_pause
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
    if not change_tags(scope, partial(_remove, fleet.session)):
        fail("not every tag was removed; run the command again")
    if is_all:
        _tell(server)


def _tell(server: str) -> None:
    """Tell the running daemon, which otherwise notices at its next sweep."""
    try:
        click.echo(f"daemon at {server}: {post(server, '/resume', {})}")
    except DaemonUnreachable as unreachable:
        click.echo(f"{unreachable}; a daemon elsewhere continues at its next sweep", err=True)
    except DaemonRefused as refused:
        click.echo(
            f"the daemon at {server} was not told ({refused}); it continues at its next sweep", err=True
        )


def _remove(session: Session, resource: str) -> str:
    """Remove the tag. Returns the result as a message. Raises AzureFailure."""
    tags = read_tags(session, resource)
    if not (known := pause_in(tags)):
        return "not paused"
    # With its value: a pause that somebody has ordered since then stays.
    delete_tags(session, resource, {name: tags[name] for name in tags if name.casefold() == PAUSE})
    return f"resumed; {describe_pause(known, 'it', 'was')}"
