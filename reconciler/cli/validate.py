"""`reconciler validate`: report every error in spec files, without credentials or network."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.shard import shard_options
from reconciler.cli.verb import Verb
from reconciler.cli.workflow_command import workflow_command
from reconciler.spec.declared import Declared, declare, nothing_declared
from reconciler.spec.directory import read_paths
from reconciler.spec.files import LIMIT, File
from reconciler.spec.ignore import NAME as IGNORE
from reconciler.spec.problem import Problem, problem_of
from reconciler.spec.selection import Selection
from reconciler.spec.shard import Shard
from reconciler.spec.wording import count

_DEFAULT = Path("specs")
_IF_MISSING = "pass the PATHS of the specs, or write specs with `reconciler adopt`"
_INPUT = "stdin"  # the name of standard input in messages


@dataclass(frozen=True, slots=True)
class _Report:
    """The result of validating some files. Errors and warnings are sorted by place."""

    found: Selection
    declared: Declared
    errors: Sequence[Problem]
    warnings: Sequence[Problem]
    shard: Shard | None

    @property
    def summary(self) -> str:
        """The last line of the text output."""
        if self.errors:
            return count(len(self.errors), "error")
        scale_sets = count(len(self.declared.scale_sets), "scale set")
        if self.shard:
            scale_sets = f"{self.shard}: {scale_sets} of {self.declared.total}"
        files = count(len(self.found.files), "file")
        ignored = _passed_over(self.declared.foreign, self.found.ignored)
        return f"{scale_sets} in {files}: no errors{ignored}"


@click.command(cls=Verb)
@click.argument("paths", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="Output format; sarif is for code scanning, github for annotations by GitHub Actions.",
)
@shard_options
def validate(paths: tuple[str, ...], output: str, shard: Shard | None) -> None:
    """Check spec files and directories (default: specs).

    Prints each error as file:line:column: what is wrong with which field, and how to fix it. The path - is
    standard input. With --shard, anything that crosses the border of that shard is an error too.
    """
    found = _read(paths) if paths else read_paths([_DEFAULT], if_missing=_IF_MISSING)
    declared = declare(found.files, shard=shard)
    errors = {*found.problems, *declared.problems, *nothing_declared(found.files, declared, shard)}
    warnings = {*found.warnings, *declared.warnings}
    report = _Report(found, declared, sorted(errors), sorted(warnings), shard)
    _WRITERS[output](report)
    if report.errors:
        sys.exit(FAILURE)


def _read(paths: Sequence[str]) -> Selection:
    """The files at these paths. Standard input comes last, wherever - is among the paths."""
    found = read_paths([Path(path) for path in paths if path != "-"])
    return Selection.of_all([found, _input()]) if "-" in paths else found


def _input() -> Selection:
    if sys.stdin is None:
        return Selection((), (problem_of(_INPUT, "is closed: pipe a spec into it"),))
    try:
        content = sys.stdin.buffer.read(LIMIT + 1)
    except OSError as error:
        return Selection((), (problem_of(_INPUT, f"cannot be read: {error.strerror}"),))
    if len(content) > LIMIT:
        message = f"is over the limit of {LIMIT:,} bytes: split it into several files"
        return Selection((), (problem_of(_INPUT, message),))
    return Selection((File(_INPUT, content),))


def _text(report: _Report) -> None:
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    for error in report.errors:
        click.echo(str(error))
    click.echo(report.summary, err=bool(report.errors))


def _github(report: _Report) -> None:
    for warning in report.warnings:
        click.echo(workflow_command("warning", warning))
    for error in report.errors:
        click.echo(workflow_command("error", error))
    click.echo(report.summary, err=bool(report.errors))


def _json(report: _Report) -> None:
    _dump(
        {
            "errors": [_row(each) for each in report.errors],
            "warnings": [_row(each) for each in report.warnings],
            "scaleSets": len(report.declared.scale_sets),
            "files": len(report.found.files),
        }
    )


def _sarif(report: _Report) -> None:
    from reconciler.cli.sarif import sarif

    _dump(sarif(report.errors, report.warnings))


_WRITERS: Mapping[str, Callable[[_Report], None]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}


def _row(problem: Problem) -> dict[str, Any]:
    """A problem as JSON. Line and column are null if the problem concerns the whole file."""
    place = problem.place
    return {
        "file": place.file,
        "line": place.line or None,
        "column": place.column or None,
        "field": problem.field,
        "message": problem.message,
        "text": problem.text,
    }


def _dump(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def _passed_over(foreign: int, ignored: int) -> str:
    """A note on what was not read as a spec, or "" if everything was read.

    >>> _passed_over(1, 2), _passed_over(0, 0)
    ('; skipped: 1 document for other programs, 2 by .reconcilerignore', '')
    """
    parts = [
        f"{count(foreign, 'document')} for other programs" if foreign else "",
        f"{ignored} by {IGNORE}" if ignored else "",
    ]
    text = ", ".join(filter(None, parts))
    return f"; skipped: {text}" if text else ""
