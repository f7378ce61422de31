"""`reconciler report`: save a page of the daemon to a file."""

from pathlib import Path
from urllib.parse import quote

from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, page_of, store_of
from reconciler.cli.failure import fail
from reconciler.cli.row_errors import rows_named


def act(*, name: str | None, html: Path, server: str) -> None:
    """Save the page of the fleet, or of one scale set, to a file."""
    try:
        if name:
            rows_named(store_of(server), (name,))
        text = page_of(server, f"/scale-sets/{quote(name, safe='')}" if name else "/")
    except DaemonUnreachable as unreachable:
        fail(f"{unreachable}; only a running daemon has the pages")
    except DaemonRefused as refused:
        fail(f"the daemon at {server} has no such page ({refused}); it may be an older version")
    try:
        html.write_text(text)
    except OSError as error:
        fail(f"cannot write {html}: {error.strerror}")
