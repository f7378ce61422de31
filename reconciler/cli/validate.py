"""`reconciler validate`: report every error in spec files, without credentials or network."""

import sys
from pathlib import Path

import click

from reconciler.cli.table import count
from reconciler.cli.verb import Verb
from reconciler.spec.declared import declare, nothing_declared
from reconciler.spec.directory import read_paths
from reconciler.spec.ignore import NAME as IGNORE


@click.command(cls=Verb)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def validate(paths: tuple[Path, ...]) -> None:
    """Check spec files and directories (default: specs).

    Prints each error as file:line:column: field: what is wrong and how to fix it. Exit 1 if there are any.
    """
    found = read_paths(paths or (Path("specs"),))
    declared = declare(found.files)
    empty = nothing_declared(found.files, declared)
    problems = sorted({*found.problems, *declared.problems, *empty})
    for warning in sorted({*found.warnings, *declared.warnings}):
        click.echo(f"warning: {warning}", err=True)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        click.echo(count(len(problems), "error"), err=True)
        sys.exit(1)
    scale_sets, files = count(len(declared.scale_sets), "scale set"), count(len(found.files), "file")
    click.echo(f"{scale_sets} in {files}: no errors{_passed_over(declared.foreign, found.ignored)}")


def _passed_over(foreign: int, ignored: int) -> str:
    """What was not read as a spec.

    >>> _passed_over(1, 2), _passed_over(0, 0)
    ('; passed over: 1 document of another program, 2 by .reconcilerignore', '')
    """
    parts = [
        f"{foreign} document{'' if foreign == 1 else 's'} of another program" if foreign else "",
        f"{ignored} by {IGNORE}" if ignored else "",
    ]
    text = ", ".join(filter(None, parts))
    return f"; passed over: {text}" if text else ""
