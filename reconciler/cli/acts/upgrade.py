"""`reconciler upgrade`: upgrade hand-picked instances of a scale set next."""

import getpass
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.daemon_client import (
    DaemonAbsent,
    DaemonRefused,
    DaemonUnreachable,
    post_for_json,
    store_of,
)
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail
from reconciler.cli.heat_map import full_name
from reconciler.cli.pick_text import check_all_reached, show_offer
from reconciler.cli.row_errors import rows_named
from reconciler.cli.standby import standby_message
from reconciler.daemon.pick_request import PickRequest
from reconciler.spec.wording import one_line

if TYPE_CHECKING:
    from reconciler.cli.access import FleetAccess

Json = Mapping[str, Any]

_INTERVAL = 1.0  # seconds between two requests


def act(
    *,
    name: str,
    domain: str | None,
    instances: tuple[str, ...] | None,
    yes: bool,
    no_wait: bool,
    server: str,
    open_fleet: "Callable[[], FleetAccess]",
) -> None:
    """Upgrade the picked instances next, or show what would happen."""
    if bool(domain) == bool(instances):
        raise click.UsageError("pass either --domain or --instances")
    if no_wait and not yes:
        raise click.UsageError("--no-wait needs --yes")
    asked: dict[str, Any] = {
        "name": name,
        "by": getpass.getuser(),
        "domain": full_name(domain) if domain else None,
        "instances": list(instances or ()),
    }
    row = _row(server, name)
    if row is None:
        if no_wait:
            fail(f"no daemon responds at {server}, so --no-wait is not possible; omit it, or set --server")
        from reconciler.cli.acts.upgrade_alone import upgrade_alone

        request = PickRequest(name, asked["by"], asked["domain"] or "", instances or ())
        upgrade_alone(open_fleet(), request, server, is_trial=not yes)
        return
    offer = _ask(server, asked | {"trial": not yes})
    show_offer(offer, row, is_trial=not yes)
    if yes and not no_wait:
        _wait(server, name, offer["pick"]["at"], row)
        check_all_reached(offer)


def _row(server: str, name: str) -> Json | None:
    """The scale set as the daemon sees it, or None if there is no daemon.

    Ends the command if a daemon may be running but cannot be asked, because the two must not act side by
    side.
    """
    try:
        found = store_of(server)
    except DaemonAbsent:
        return None
    except DaemonUnreachable as unreachable:
        cause = f" ({one_line(str(unreachable.__cause__))})" if unreachable.__cause__ else ""
        fail(f"{unreachable}{cause}, but one may run there; correct --server, or try again")
    if message := standby_message(found):
        fail(f"{server}: {message}; ask that replica")
    if found["sweep"] is None:
        fail("the daemon has not finished its first sweep; try again in a moment")
    return rows_named(found, (name,))[0]


def _ask(server: str, asked: Json) -> Json:
    try:
        return post_for_json(server, "/upgrade", asked)
    except DaemonUnreachable as unreachable:
        fail(str(unreachable))
    except DaemonRefused as refused:
        fail(f"the daemon at {server} refused: {refused}")


def _wait(server: str, name: str, at: str, before: Json) -> None:
    """Print each change of status until the pick ends. Fails the command if the pick was not served."""
    shown = _line(before)
    for row in _rows(server, name):
        if (line := _line(row)) != shown:
            shown = line
            click.echo(line)
        pick = row["pick"]
        if pick is None:
            fail("the daemon no longer knows the pick, because it has restarted; run the command again")
        if pick["at"] != at:
            fail(f"the pick was replaced by another: {pick['message']}")
        if end := pick["end"]:
            click.echo(f"{name}: {end['message']}")
            if not end["isServed"]:
                sys.exit(FAILURE)
            return


def _rows(server: str, name: str) -> Iterator[Json]:
    """Ask the daemon for the scale set again and again. Ends the command if no spec declares it any more."""
    is_lost = False
    while True:
        time.sleep(_INTERVAL)
        try:
            found = store_of(server)
        except DaemonUnreachable as unreachable:
            if not is_lost:
                click.echo(f"{unreachable}; trying again", err=True)
            is_lost = True
            continue
        is_lost = False
        if found["sweep"] is None:  # it has just started
            continue
        rows = {each["name"]: each for each in found["scaleSets"]}
        if name not in rows:
            fail(f"{name} is no longer declared")
        yield rows[name]


def _line(row: Json) -> str:
    return f"{row['name']}: {row['status']}: {row['reason']}: {row['message']}"
