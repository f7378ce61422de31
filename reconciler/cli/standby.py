"""What a command says if the daemon that responds is a standby."""

from collections.abc import Mapping
from typing import Any

import click


def show_standby(store: Mapping[str, Any], server: str) -> None:
    """Say who leads, if the replica at `server` does not. Only the leader knows how scale sets are."""
    if message := (store.get("replica") or {}).get("message"):  # none of a daemon of an older version
        click.echo(f"{server}: {message}; ask the leader for the status of scale sets", err=True)
