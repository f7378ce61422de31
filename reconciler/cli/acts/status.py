"""`reconciler status`: the status of every scale set, from the running daemon."""

import json
import sys
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import click
from click.core import ParameterSource

from reconciler.cli import table
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import show_error

if TYPE_CHECKING:
    from reconciler.cli.access import FleetAccess


def act(*, open_fleet: "Callable[[], FleetAccess]", server: str, output: str) -> None:
    """Show the status of every scale set."""
    shown = store(open_fleet, server)
    errors = (shown["sweep"] or {}).get("errors") or ()
    for line in errors:
        show_error(line)
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        table.show(table.status(shown))
    if errors:
        sys.exit(FAILURE)


def store(open_fleet: "Callable[[], FleetAccess]", server: str) -> dict[str, Any]:
    """The store of the daemon at `server`. If no daemon responds, a store filled by our own observation."""
    shown = _fetch(server)
    if shown is None:
        from reconciler.cli.own_observation import observed_store

        return observed_store(open_fleet(), f"no daemon responds at {server}")
    for option in filter(_is_typed, ("specs", "git")):
        click.echo(f"the daemon at {server} uses its own specs; --{option} is ignored", err=True)
    return shown


def _is_typed(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _fetch(server: str) -> dict[str, Any] | None:
    """The store of the daemon at `server`, or None if none responds."""
    try:
        with urlopen(f"{server}/status", timeout=5) as response:  # noqa: S310 - a Url
            shown = json.load(response)
    except (OSError, HTTPException, ValueError):
        return None
    return shown if isinstance(shown, dict) and "scaleSets" in shown else None
