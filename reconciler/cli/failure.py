"""Ends a command with an error."""

import sys
from typing import NoReturn

import click


def fail(error: str, code: int = 1) -> NoReturn:
    """Print one line that says why, and exit."""
    click.echo(f"error: {error}", err=True)
    sys.exit(code)
