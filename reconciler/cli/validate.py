"""`reconciler validate`: every mistake of every spec file at once, without credentials or network."""

import sys
from pathlib import Path

import click

from reconciler.cli.table import count
from reconciler.cli.verb import Verb
from reconciler.spec.declared import declare
from reconciler.spec.directory import read_paths


@click.command(cls=Verb)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def validate(paths: tuple[Path, ...]) -> None:
    """Check spec files and directories (default: specs).

    Prints each mistake as file:line:column: field: what is wrong and how to mend it. Exit 1 if there is any.
    """
    found = read_paths(paths or (Path("specs"),))
    declared = declare(found.files)
    problems = sorted({*found.problems, *declared.problems})
    for problem in problems:
        click.echo(str(problem))
    if problems:
        click.echo(count(len(problems), "mistake"), err=True)
        sys.exit(1)
    click.echo(
        f"{count(len(declared.scale_sets), 'scale set')} in {count(len(found.files), 'file')}: no mistakes"
    )
