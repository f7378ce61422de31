"""How a command ends that cannot do what it was asked."""

import sys
from typing import NoReturn

import click


def fail(error: str, code: int = 1) -> NoReturn:
    """End with one line that says why."""
    click.echo(f"error: {error}", err=True)
    sys.exit(code)
