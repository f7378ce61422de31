"""`reconciler status`: the status of every scale set, from the running daemon or else from Azure."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from reconciler.cli.daemon_client import DaemonUnreachable, store_of
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail, show_error
from reconciler.cli.row_errors import NOTHING_FITS, check_fit, check_names
from reconciler.cli.row_filter import RowFilter, filtered
from reconciler.cli.structured import show_structured
from reconciler.daemon.status_word import ORPHANED
from reconciler.spec.label import Requirement

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
    """Show the status of the scale sets that match."""
    wanted = RowFilter(names, selector, statuses, image or "", subscriptions)
    if with_instances:
        _check_instances(output, is_watching=is_watching)
        open_once = cache(open_fleet)
        if statuses:
            wanted = _with_names_now(store(open_once, server), wanted)
        from reconciler.cli.acts.instances import export

        export(open_once(), wanted, is_json=output == "json")
        return
    if output == "csv":
        raise click.UsageError("-o csv needs --instances")
    if is_watching:
        if output not in _WATCHED:
            raise click.UsageError(f"--watch needs -o {', '.join(_WATCHED[:-1])} or {_WATCHED[-1]}")
        from reconciler.cli.acts.watch import watch

        watch(server, wanted, output)
        return
    found = store(open_fleet, server)
    _show_once(found, wanted, output, server if found["source"]["kind"] == "daemon" else "")


def _check_instances(output: str, *, is_watching: bool) -> None:
    """Raise UsageError if --instances conflicts with another option."""
    if is_watching:
        raise click.UsageError("--instances and --watch cannot be combined")
    if output not in _OF_INSTANCES:
        raise click.UsageError("--instances needs -o csv or -o json")


def _with_names_now(found: Json, wanted: RowFilter) -> RowFilter:
    """Replace the statuses in the filter by the names of the scale sets that match now.

    Ends the command if none match.
    """
    check_names(found, wanted)
    rows = filtered(found, wanted.fits)["scaleSets"]
    if not rows:
        fail(NOTHING_FITS)
    return replace(wanted, names=tuple(row["name"] for row in rows), statuses=())


def _show_once(found: Json, wanted: RowFilter, output: str, server: str) -> None:
    """Print a store once. `server` is the daemon that answered, or "" if none did."""
    errors = (found["sweep"] or {}).get("errors") or ()
    for line in errors:
        show_error(line)
    check_names(found, wanted)
    shown = filtered(found, wanted.fits)
    check_fit(shown, wanted)
    if output == "svg":
        _write_picture(shown, wanted, server)
    else:
        write(shown, output, wanted)
    if errors:
        sys.exit(FAILURE)


def _write_picture(shown: Json, wanted: RowFilter, server: str) -> None:
    """Print a picture of the table, and of the heat map if exactly one scale set is named."""
    from reconciler.cli.daemon_client import instances_of
    from reconciler.cli.status_table import status
    from reconciler.cli.status_with_heat_map import StatusWithHeatMap
    from reconciler.cli.svg import PICTURE_WIDTH, svg

    instances = instances_of(server, wanted.names[0]) if server and len(wanted.names) == 1 else None
    click.echo(svg(StatusWithHeatMap(status(shown), instances).rendered(PICTURE_WIDTH), "reconciler status"))


def write(shown: Json, output: str, wanted: RowFilter) -> None:
    """Print `shown`, the contents of a store, in the format `output`."""
    match output:
        case "json" | "yaml":
            show_structured(shown, output)
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
    """The store of the daemon at `server` or, if no daemon responds, what this command observes itself."""
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
