"""`reconciler pause`: stop all writes to the fleet or to scale sets, with a tag instead of a commit."""

import getpass
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import click

from reconciler.acts.pause import write_pause
from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import identity
from reconciler.azure.session import Session
from reconciler.cli.access import FleetAccess
from reconciler.cli.acts.pausing import change_tags, scope_of
from reconciler.cli.announcement import announce
from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post
from reconciler.cli.failure import fail
from reconciler.cli.pausing import check_scope
from reconciler.rollout.pause import Pause, is_too_long
from reconciler.spec.author import LONGEST_NAME
from reconciler.spec.fleet import PauseTag
from reconciler.spec.label import Requirement


def act(
    *,
    names: tuple[str, ...],
    is_all: bool,
    selector: tuple[Requirement, ...] | None,
    reason: str,
    until: datetime | None,
    by: str | None,
    pause_tag: PauseTag | None,
    server: str,
    fleet: FleetAccess,
) -> None:
    """Pause the fleet or scale sets: nothing is written to them until `reconciler resume` is run."""
    check_scope(names, selector, is_all=is_all, is_tag_given=pause_tag is not None)
    ordered = Pause(reason.strip(), by or "", datetime.now(UTC).replace(microsecond=0), until)
    if is_too_long(ordered):
        raise click.UsageError("--reason is too long for a tag; write at most 100 characters")
    is_told = is_all and _tell(server, replace(ordered, by=by or getpass.getuser()))
    scope = scope_of(fleet.specs, names, selector, pause_tag, is_all=is_all, actions=("written", "paused"))
    announce(fleet.session)
    signed = replace(ordered, by=(by or _signed_in(fleet.session))[:LONGEST_NAME])
    if not change_tags(scope, partial(write_pause, fleet.session, signed)):
        note = (
            f"; the daemon at {server} is paused, but forgets the pause when it restarts" if is_told else ""
        )
        fail(f"not every tag was written{note}; run the command again")


def _tell(server: str, ordered: Pause) -> bool:
    """Notify the running daemon. Returns whether the daemon has accepted the pause."""
    asked = {
        "by": ordered.by,
        "reason": ordered.reason,
        "at": ordered.at and ordered.at.isoformat(),
        "until": ordered.until and ordered.until.isoformat(),
    }
    try:
        click.echo(f"daemon at {server}: {post(server, '/pause', asked)}")
    except DaemonUnreachable as unreachable:
        click.echo(f"{unreachable}; a daemon elsewhere reads the tag before each write", err=True)
        return False
    except DaemonRefused as refused:
        click.echo(
            f"the daemon at {server} was not notified ({refused}), but reads the tag before each write",
            err=True,
        )
        return False
    return True


def _signed_in(session: Session) -> str:
    """The name in the token, or the local user name if there is no token."""
    try:
        return identity(session).short
    except AzureFailure:
        return getpass.getuser()
