"""Ends a command with an error."""

import sys
from typing import NoReturn

import click

from reconciler.cli.exit_codes import FAILURE


def fail(error: str, code: int = FAILURE) -> NoReturn:
    """Print the error, and exit with `code`."""
    show_error(error)
    sys.exit(code)


def show_error(error: str) -> None:
    """Print each line of `error` as an error on standard error."""
    for line in filter(None, error.splitlines()):
        click.echo(f"error: {line}", err=True)
