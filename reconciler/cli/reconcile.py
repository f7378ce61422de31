"""`reconciler reconcile`: have the running daemon reconcile scale sets now."""

import click

from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post
from reconciler.cli.failure import fail
from reconciler.cli.options import server_option
from reconciler.cli.verb import Verb


@click.command(cls=Verb)
@click.argument("names", nargs=-1, required=True)
@server_option
def reconcile(*, names: tuple[str, ...], server: str) -> None:
    """Have the daemon reconcile scale sets now, and not only when they are due.

    NAMES are the names of their specs. Every rule of a rollout applies as always. It works only from the host
    of the daemon, for example through `kubectl port-forward`.
    """
    try:
        click.echo(f"daemon at {server}: {post(server, '/reconcile', {'names': list(names)})}")
    except DaemonUnreachable as unreachable:
        fail(f"{unreachable}; set --server, or start one with `reconciler run`")
    except DaemonRefused as refused:
        fail(f"the daemon at {server} refused: {refused}")
