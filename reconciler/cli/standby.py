"""The warning that a command prints if the daemon that responds is a standby."""

from collections.abc import Mapping
from typing import Any

import click


def standby_message(store: Mapping[str, Any]) -> str | None:
    """Who leads instead of this replica, or None if this replica leads or is an older version."""
    return (store.get("replica") or {}).get("message")


def show_standby(store: Mapping[str, Any], server: str) -> None:
    """Print who leads, if the replica at `server` does not. Only the leader knows the state of scale sets."""
    if message := standby_message(store):
        click.echo(f"{server}: {message}; ask the leader for the status of scale sets", err=True)
