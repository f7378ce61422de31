"""`reconciler plan`: what a change will do to a fleet, when, and what could go wrong. Changes nothing."""

from typing import Any

import click

from reconciler.cli.check_hosts import check_hosts_option
from reconciler.cli.fault_options import fault_options
from reconciler.cli.options import fleet_options
from reconciler.cli.selector import selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@fleet_options
@selector_option
@click.option(
    "--base",
    metavar="REV",
    help="Compare with the specs at this revision of the git repository that contains --specs.",
)
@click.option(
    "--rehearse",
    "is_rehearsed",
    is_flag=True,
    help="Add a rehearsal on a copy of the fleet, with each --fault.",
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
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0: all as declared or suspended, 1: error, 2: changes to make (as in Terraform).",
)
@click.option(
    "--checks",
    is_flag=True,
    help="Run the checks in the specs, at public addresses only. Without this option they count as passed.",
)
@check_hosts_option
def plan(**given: Any) -> None:
    """Show what a change will do, when, and what could go wrong.

    The forecast covers the whole fleet. It simulates the daemon's own decisions, with waves, caps and
    windows, and assumes that nothing fails. With NAMES or --selector, only the scale sets that match are
    shown. The command reads the specs and Azure, and writes to neither. The result of a rehearsal does not
    change the exit code.
    """
    from reconciler.cli.acts.plan import act

    act(**given)
