"""`reconciler validate`: report every error in spec files, without credentials or network."""

import sys
from pathlib import Path

import click

from reconciler.cli.table import count
from reconciler.cli.verb import Verb
from reconciler.spec.declared import declare
from reconciler.spec.files import read_paths


@click.command(cls=Verb)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def validate(paths: tuple[Path, ...]) -> None:
    """Check spec files and directories (default: specs).

    Prints each error as file:line:column: field: what is wrong and how to fix it. Exit 1 if there are any.
    """
    files, unread = read_paths(paths or (Path("specs"),))
    declared = declare(files)
    problems = sorted({*unread, *declared.problems})
    for problem in problems:
        click.echo(str(problem))
    if problems:
        click.echo(count(len(problems), "error"), err=True)
        sys.exit(1)
    click.echo(f"{count(len(declared.scale_sets), 'scale set')} in {count(len(files), 'file')}: no errors")
