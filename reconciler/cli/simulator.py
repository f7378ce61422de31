"""Access to the simulator, which a small installation may lack."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

_PACKAGE = "reconciler.simulator"


@contextmanager
def simulator_required() -> Iterator[None]:
    """A context for imports that need the simulator. Ends the command if the simulator is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(_PACKAGE):
            raise
        raise click.ClickException(
            "the simulator is not installed; install the full package vmss-reconciler"
        ) from error
