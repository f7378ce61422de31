"""`reconciler validate`: every mistake of every spec file at once, without credentials or network."""

import sys
from pathlib import Path

import click

from reconciler.spec.declared import declare
from reconciler.spec.files import read_paths


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def validate(paths: tuple[Path, ...]) -> None:
    """Check spec files and directories (default: specs).

    Prints each mistake as file:line:column: field: what is wrong and how to mend it. Exit 1 if there is any.
    """
    files, unread = read_paths(paths or (Path("specs"),))
    declared = declare(files)
    problems = sorted({*unread, *declared.problems})
    for problem in problems:
        click.echo(str(problem))
    if problems:
        click.echo(f"{_count(len(problems), 'mistake')} in {_count(len(files), 'file')}", err=True)
        sys.exit(1)
    click.echo(
        f"{_count(len(declared.scale_sets), 'scale set')} in {_count(len(files), 'file')}: no mistakes"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
