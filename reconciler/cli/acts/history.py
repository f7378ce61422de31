"""`reconciler history`: the most recent rollouts of a scale set, as recorded by the daemon."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from reconciler.cli import table
from reconciler.cli.daemon_client import DaemonUnreachable, store_of
from reconciler.cli.failure import fail
from reconciler.cli.row_errors import rows_named
from reconciler.cli.standby import show_standby
from reconciler.cli.structured import STRUCTURED, show_structured
from reconciler.spec.duration import format_duration

_HEADER = ("began", "ended", "from", "to", "result", "took", "instances", "commit")


def act(*, name: str, server: str, output: str) -> None:
    """Show the most recent rollouts of a scale set, newest first."""
    try:
        store = store_of(server)
    except DaemonUnreachable as unreachable:
        fail(f"{unreachable}; only a running daemon knows the history")
    show_standby(store, server)
    (row,) = rows_named(store, (name,))
    records = row["history"]
    if output in STRUCTURED:
        show_structured(records, output)
    elif records:
        table.show(table.grid(_HEADER, map(_cells, records)))
    else:
        click.echo(f"{name}: no rollout since the daemon started")


def _cells(record: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        _moment(record["began"]),
        _moment(record["ended"]),
        _version(record["from"]),
        _version(record["image"]),
        record["result"] or "in progress",
        format_duration(timedelta(seconds=int(record["seconds"]))) if record["seconds"] else "-",
        "-" if record["instances"] is None else str(record["instances"]),
        record["commit"][:10] or "-",
    )


def _moment(text: str | None) -> str:
    return text[:16].replace("T", " ") if text else "-"


def _version(image: str | None) -> str:
    """The version at the end of an image's name, or "-" if there is no image.

    >>> _version("Canonical:ubuntu-24_04-lts:server:24.04.202601010"), _version("/images/web/versions/1.4.0")
    ('24.04.202601010', '1.4.0')
    """
    return image.replace("/", ":").rpartition(":")[2] if image else "-"
