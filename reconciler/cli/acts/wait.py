"""`reconciler wait`: wait until scale sets reach a certain state."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import click

from reconciler.cli.awaited import Awaited
from reconciler.cli.daemon_client import DaemonUnreachable, store_of
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail
from reconciler.cli.row_errors import rows_chosen
from reconciler.cli.standby import show_standby
from reconciler.spec.duration import format_duration
from reconciler.spec.label import Requirement

_INTERVAL = 1.0  # seconds between two requests

Row = Mapping[str, Any]


def act(
    *,
    names: tuple[str, ...],
    selector: tuple[Requirement, ...] | None,
    is_all: bool,
    awaited: Awaited,
    timeout: timedelta | None,
    server: str,
) -> None:
    """Wait until scale sets reach a state."""
    if is_all == bool(names or selector is not None):
        raise click.UsageError("pass names or --selector, or --all for every scale set")
    end = None if timeout is None else time.monotonic() + timeout.total_seconds()
    store = _store(server)
    rows = _rows(store, names, selector)
    if store:
        show_standby(store, server)
    if rows is None:
        fail(f"no daemon responds at {server}, so nothing will happen; start one with `reconciler run`")
    reached: set[str] = set()
    while True:
        for row in rows or ():
            if row["name"] not in reached and awaited.holds(row):
                reached.add(row["name"])
                click.echo(f"{row['name']}: {row['status']}: {row['reason']}: {row['message']}")
        if rows is not None and all(awaited.holds(row) for row in rows):
            break
        if end is not None and time.monotonic() >= end:
            assert timeout is not None  # noqa: S101
            left = [row["name"] for row in rows or () if not awaited.holds(row)]
            said = f"still waiting for {', '.join(left)}" if left else f"no daemon responds at {server}"
            fail(f"{said} after {format_duration(timeout)}")
        time.sleep(_INTERVAL)
        rows = _rows(_store(server), names, selector)
    if not all(awaited.is_success(row) for row in rows):
        sys.exit(FAILURE)


def _store(server: str) -> Mapping[str, Any] | None:
    """The store of the daemon, or None if no daemon responds."""
    try:
        return store_of(server)
    except DaemonUnreachable:
        return None


def _rows(
    store: Mapping[str, Any] | None, names: Sequence[str], selector: tuple[Requirement, ...] | None
) -> Sequence[Row] | None:
    """The scale sets to wait for, or None if the daemon does not respond or has just started.

    Ends the command if a name is unknown, or if the selector matches nothing.
    """
    if store is None or store["sweep"] is None:  # it has just started
        return None
    is_all = not names and selector is None
    return list(store["scaleSets"]) if is_all else rows_chosen(store, names, selector)
