"""Ends a command with an error."""

import sys
from typing import NoReturn

import click

from reconciler.cli.exit_codes import FAILURE


def fail(error: str, code: int = FAILURE) -> NoReturn:
    """Print why, and exit."""
    show_error(error)
    sys.exit(code)


def show_error(error: str) -> None:
    """Print an error on standard error. Each line of it is one error."""
    for line in filter(None, error.splitlines()):
        click.echo(f"error: {line}", err=True)
