"""`reconciler status`: the status of every scale set, from the running daemon."""

import json
import sys
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

import click
from click.core import ParameterSource

from reconciler.cli import table
from reconciler.cli.announcement import announce
from reconciler.cli.options import FleetAccess, Url, fleet_options, output_option
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.cli.verb import Verb
from reconciler.daemon import report

server_option = click.option(
    "--server",
    type=Url("http", "https"),
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="VMSS_RECONCILER_SERVER",
    show_envvar=True,
    help="URL of the daemon.",
)


@click.command(cls=Verb)
@server_option
@fleet_options
@output_option
def status(*, fleet: FleetAccess, server: str, output: str) -> None:
    """Show the status of every scale set.

    Asks the daemon. If no daemon responds, the command reads the specs and Azure directly. It changes
    nothing. Exit 1 if the specs have errors, or if the specs or Azure cannot be read, else 0, whatever the
    status.
    """
    shown = store(fleet, server)
    errors = (shown["sweep"] or {}).get("errors") or ()
    for line in errors:
        click.echo(f"error: {line}", err=True)
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        table.show(table.status(shown))
    if errors:
        sys.exit(1)


def store(fleet: FleetAccess, server: str) -> dict[str, Any]:
    """The store of the daemon at `server`. If no daemon responds, a store filled by our own observation."""
    shown = _fetch(server)
    if shown is not None:
        for option in filter(_is_typed, ("specs", "git")):
            click.echo(f"the daemon at {server} uses its own specs; --{option} is ignored", err=True)
    else:
        announce(fleet.session)
        click.echo(
            f"no daemon responds at {server}; this is a dry run, steps are shown and not taken", err=True
        )
        own = fleet.reconciler(finds_orphans=True).once(act=False)
        if skipped := skipped_checks_note(each.desired for each in own.states()):
            click.echo(skipped, err=True)
        shown = report.store(own)
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
