"""`reconciler report`: save a page of the daemon to a file."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.options import server_option
from reconciler.cli.required_option import RequiredOption
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("name", required=False, shell_complete=complete_names)
@click.option(
    "--html",
    cls=RequiredOption,
    example="--html report.html",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="File to write. It is self-contained and needs no network.",
)
@server_option
def report(**given: Any) -> None:
    """Save a page of the daemon to a file, for a post-mortem.

    Saves the page of the scale set NAME or, without NAME, of the fleet. Asks the daemon.
    """
    from reconciler.cli.acts.report import act

    act(**given)
