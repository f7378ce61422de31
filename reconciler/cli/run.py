"""`reconciler run`: the daemon, or a single pass over the fleet."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.check_hosts import check_hosts_option
from reconciler.cli.duration import Duration
from reconciler.cli.leader_election import leader_election_options
from reconciler.cli.log_lines import FORMATS, LEVELS
from reconciler.cli.options import Address, fleet_options
from reconciler.cli.page_options import page_options
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@fleet_options
@click.option(
    "--sweep",
    type=Duration(),
    default="1m",
    show_default=True,
    envvar="VMSS_RECONCILER_SWEEP",
    show_envvar=True,
    help="Interval between sweeps, which read the specs and list the fleet.",
)
@click.option(
    "--requeue-after",
    type=Duration(),
    default="15s",
    show_default=True,
    envvar="VMSS_RECONCILER_REQUEUE_AFTER",
    show_envvar=True,
    help="Delay until a scale set that is rolling out is reconciled again.",
)
@click.option(
    "--source-max-age",
    type=Duration(),
    default="1h",
    show_default=True,
    envvar="VMSS_RECONCILER_SOURCE_MAX_AGE",
    show_envvar=True,
    help="Begin no rollout once the specs have been unreadable for longer than this.",
)
@click.option(
    "--listen",
    type=Address(),
    metavar="HOST:PORT",
    envvar="VMSS_RECONCILER_LISTEN",
    show_envvar=True,
    help="Address to serve the web pages, /livez, /readyz, /metrics and /status on.  "
    "[default: 127.0.0.1:8080; none with --once or --until-settled]",
)
@page_options
@click.option(
    "--probe-listen",
    type=Address(),
    metavar="HOST:PORT",
    envvar="VMSS_RECONCILER_PROBE_LISTEN",
    show_envvar=True,
    help="Separate address to serve /livez, /readyz and /metrics on.  [default: that of --listen]",
)
@click.option(
    "--webhook-listen",
    type=Address(),
    metavar="HOST:PORT",
    envvar="VMSS_RECONCILER_WEBHOOK_LISTEN",
    show_envvar=True,
    help=(
        "Address to receive webhooks from git forges on. A webhook triggers a sweep at once.  [default: none]"
    ),
)
@click.option(
    "--webhook-secret-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="VMSS_RECONCILER_WEBHOOK_SECRET_FILE",
    show_envvar=True,
    help="File with the webhook secret. A trailing line break is ignored.",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="VMSS_RECONCILER_TLS_CERT",
    show_envvar=True,
    help=(
        "PEM file with a certificate and its chain, for --listen and --webhook-listen. Reread when replaced."
    ),
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="VMSS_RECONCILER_TLS_KEY",
    show_envvar=True,
    help="PEM file with the key of that certificate, without a passphrase.",
)
@check_hosts_option
@leader_election_options
@click.option(
    "--once", is_flag=True, help="Sweep once, reconcile every scale set that is due once, and exit."
)
@click.option(
    "--until-settled", is_flag=True, help="Exit once nothing more will happen without intervention."
)
@click.option(
    "--timeout", type=Duration(), help="With --until-settled: exit after this time.  [default: never]"
)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    envvar="VMSS_RECONCILER_LOG_FORMAT",
    show_envvar=True,
    help="Log format; json prints one object a line and no live table.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    envvar="VMSS_RECONCILER_LOG_LEVEL",
    show_envvar=True,
    help="Lowest level to log.",
)
def run(**given: Any) -> None:
    """Bring scale sets into line with their specs, and keep them so.

    Runs until SIGTERM or SIGINT, and then finishes the reconciles in progress. The next start continues every
    rollout. On SIGHUP, it reads the specs and their credentials again at once.
    """
    from reconciler.cli.acts.run import act

    act(**given)
