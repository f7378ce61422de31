"""The warning that a command prints if the daemon that responds is a standby."""

from collections.abc import Mapping
from typing import Any

import click


def show_standby(store: Mapping[str, Any], server: str) -> None:
    """Print who leads, if the replica at `server` does not. Only the leader knows the state of scale sets."""
    if message := (store.get("replica") or {}).get("message"):  # none of a daemon of an older version
        click.echo(f"{server}: {message}; ask the leader for the status of scale sets", err=True)
