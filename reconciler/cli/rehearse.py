"""`reconciler rehearse`: run the declared change on a copy of the fleet. Writes nothing."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.fault_options import fault_options
from reconciler.cli.options import fleet_options
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@fleet_options
@click.option(
    "--fleet",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Start from this fleet file (from `reconciler snapshot`) instead of from Azure.",
)
@fault_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml", "markdown"]),
    default="table",
    show_default=True,
    help="Output format; markdown is for a comment on a pull request.",
)
def rehearse(**given: Any) -> None:
    """Run the declared change on a copy of the fleet, with faults.

    The daemon itself runs against the simulator on a virtual clock, so windows and soaks take no real time.
    The command reads the specs and Azure, or with --fleet only files, and writes nothing. Approvals are given
    at once. With the fault `unhealthy:2%`, that share of the upgraded instances never becomes healthy. With
    `throttle`, Azure refuses requests with 429. With `stuck:1`, the upgrade of one batch never completes.
    With `evict:1`, a Spot instance is evicted during a rollout.
    """
    from reconciler.cli.acts.rehearse import act

    act(**given)
