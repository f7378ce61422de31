"""`reconciler status`: where every scale set stands, asked of the running daemon."""

import json
import sys
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import click

from reconciler.cli.options import Fleet, fleet_options, output_option
from reconciler.cli.table import console, status_table
from reconciler.daemon import report


@click.command()
@click.option(
    "--server",
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="RECONCILER_SERVER",
    help="Where the daemon listens.",
)
@fleet_options
@output_option
def status(*, fleet: Fleet, server: str, output: str) -> None:
    """Show where every scale set stands.

    Asks the daemon; where none answers, looks at the specs and at Azure itself, without changing anything.
    """
    shown = _asked(server)
    if shown is None:
        click.echo(f"no daemon answers at {server}; looking myself", err=True)
        shown = report.board(fleet.reconciliation().once(act=False))
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        _print(shown)
    if (shown["sweep"] or {}).get("trouble"):
        sys.exit(1)


def _asked(server: str) -> dict[str, Any] | None:
    """The board of the daemon at `server`, or None where none answers."""
    if not server.startswith(("http://", "https://")):
        raise click.BadParameter(f"{server!r} is not an http:// or https:// address", param_hint="--server")
    try:
        with urlopen(f"{server.rstrip('/')}/status", timeout=5) as answer:  # noqa: S310 - checked above
            shown = json.load(answer)
    except (URLError, HTTPException, OSError, ValueError):
        return None
    return shown if isinstance(shown, dict) and "scaleSets" in shown else None


def _print(shown: dict[str, Any]) -> None:
    sweep = shown["sweep"]
    for line in sweep["trouble"] if sweep else ():
        click.echo(f"error: {line}", err=True)
    if sweep:
        commit = (
            f"commit {sweep['commit'][:10]} ({sweep['subject']})" if sweep["commit"] else sweep["subject"]
        )
        click.echo(f"{commit}, seen {sweep['at'][:19].replace('T', ' ')} UTC")
    if shown["scaleSets"]:
        console().print(status_table(shown["scaleSets"]))
    else:
        click.echo("no scale set is declared")
