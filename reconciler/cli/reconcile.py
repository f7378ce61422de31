"""`reconciler reconcile`: have the running daemon reconcile scale sets now."""

import click

from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post, store_of
from reconciler.cli.failure import fail
from reconciler.cli.options import server_option
from reconciler.cli.row_errors import rows_chosen
from reconciler.cli.selector import check_chosen, selector_option
from reconciler.cli.spec_names import complete_names
from reconciler.cli.verb import Verb
from reconciler.spec.label import Requirement


@click.command(cls=Verb)
@click.argument("names", nargs=-1, shell_complete=complete_names)
@selector_option
@server_option
def reconcile(*, names: tuple[str, ...], selector: tuple[Requirement, ...] | None, server: str) -> None:
    """Have the daemon reconcile scale sets now.

    NAMES are the names of their specs. All rules of a rollout still apply. The command works only on the host
    of the daemon, for example through `kubectl port-forward`.
    """
    check_chosen(names, selector)
    try:
        if selector is not None:
            names = tuple(row["name"] for row in rows_chosen(store_of(server), names, selector))
        click.echo(f"daemon at {server}: {post(server, '/reconcile', {'names': list(names)})}")
    except DaemonUnreachable as unreachable:
        fail(f"{unreachable}; set --server, or start a daemon with `reconciler run`")
    except DaemonRefused as refused:
        fail(f"the daemon at {server} refused: {refused}")
