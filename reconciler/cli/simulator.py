"""Access to the simulator, which a small installation may lack."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

_PACKAGE = "reconciler.simulator"


@contextmanager
def simulator_required() -> Iterator[None]:
    """Import what needs the simulator inside the context. Ends the command if it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(_PACKAGE):
            raise
        raise click.ClickException(
            "this installation has no simulator; install the whole package vmss-reconciler"
        ) from error
