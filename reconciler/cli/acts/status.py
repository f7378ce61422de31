"""`reconciler status`: the status of every scale set, from the running daemon."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from reconciler.cli.daemon_client import DaemonUnreachable, store_of
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import show_error
from reconciler.cli.row_errors import check_fit, check_names
from reconciler.cli.row_filter import ORPHANED, RowFilter, filtered
from reconciler.cli.selector import Requirement

if TYPE_CHECKING:
    from reconciler.cli.access import FleetAccess

Json = Mapping[str, Any]

_WATCHED = ("table", "wide", "json")
_OF_INSTANCES = ("csv", "json")


def act(
    *,
    names: tuple[str, ...],
    selector: tuple[Requirement, ...] | None,
    statuses: tuple[str, ...],
    image: str | None,
    subscriptions: tuple[str, ...],
    is_watching: bool,
    with_instances: bool,
    open_fleet: "Callable[[], FleetAccess]",
    server: str,
    output: str,
) -> None:
    """Show the status of the scale sets that fit."""
    wanted = RowFilter(names, selector, statuses, image or "", subscriptions)
    if with_instances:
        _check_instances(output, statuses, is_watching=is_watching)
        from reconciler.cli.acts.instances import export

        export(open_fleet(), wanted, is_json=output == "json")
        return
    if output == "csv":
        raise click.UsageError("-o csv needs --instances")
    if is_watching:
        if output not in _WATCHED:
            raise click.UsageError(f"--watch needs -o {', '.join(_WATCHED[:-1])} or {_WATCHED[-1]}")
        from reconciler.cli.acts.watch import watch

        watch(server, wanted, output)
        return
    _show_once(store(open_fleet, server), wanted, output)


def _check_instances(output: str, statuses: Sequence[str], *, is_watching: bool) -> None:
    """Raises UsageError."""
    if is_watching:
        raise click.UsageError("--instances and --watch cannot be combined")
    if statuses:
        raise click.UsageError(
            "--instances and --status cannot be combined: the instances are read from Azure, and the status "
            "is that of the daemon; pass the names that `reconciler status -o name --status …` prints"
        )
    if output not in _OF_INSTANCES:
        raise click.UsageError("--instances needs -o csv or -o json")


def _show_once(found: Json, wanted: RowFilter, output: str) -> None:
    errors = (found["sweep"] or {}).get("errors") or ()
    for line in errors:
        show_error(line)
    check_names(found, wanted)
    shown = filtered(found, wanted.fits)
    check_fit(shown, wanted)
    write(shown, output, wanted)
    if errors:
        sys.exit(FAILURE)


def write(shown: Json, output: str, wanted: RowFilter) -> None:
    """Print a store in this format."""
    match output:
        case "json":
            click.echo(json.dumps(shown, indent=2))
        case "yaml":
            from reconciler.spec.yaml_text import yaml_text

            click.echo(yaml_text(shown), nl=False)
        case "name":
            # The commands that take names know no orphans, but `dismiss` does.
            orphans = shown["orphans"] if ORPHANED in wanted.statuses else ()
            for each in (*shown["scaleSets"], *orphans):
                click.echo(each["name"])
        case "markdown":
            from reconciler.cli.markdown_table import literal, markdown_table, row
            from reconciler.cli.status_table import status

            header, rows = status(shown).texts()
            click.echo(markdown_table(header, [row(*map(literal, cells)) for cells in rows]))
        case _:
            from reconciler.cli import table
            from reconciler.cli.status_table import status

            table.show_status(status(shown, is_wide=output == "wide"))


def store(open_fleet: "Callable[[], FleetAccess]", server: str) -> dict[str, Any]:
    """The store of the daemon at `server`. If no daemon responds, a store filled by our own observation."""
    try:
        shown = store_of(server)
    except DaemonUnreachable:
        from reconciler.cli.own_observation import observed_store

        return observed_store(open_fleet(), server)
    for option in filter(_is_typed, ("specs", "git")):
        click.echo(f"the daemon at {server} uses its own specs; --{option} is ignored", err=True)
    return shown


def _is_typed(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE
