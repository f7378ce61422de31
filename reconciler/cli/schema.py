"""`reconciler schema`: print the JSON Schemas of files and output, for editors and programs."""

from collections.abc import Mapping
from pathlib import Path

import click

from reconciler.cli.settings import CONFIG_SCHEMA
from reconciler.cli.verb import Verb
from reconciler.spec.shape import KINDS, SPEC_SCHEMA, schema_path

_FILES: Mapping[str, str] = {
    "spec": SPEC_SCHEMA,
    "fleet": "fleet.schema.json",
    "plan": "plan.schema.json",
    "config": CONFIG_SCHEMA,
    "rehearsal": "rehearsal.schema.json",
}


class _Kind(click.Choice[str]):
    """A kind of file. All kinds of documents in a spec share one schema."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in KINDS:
            self.fail(f"{value!r} is a kind of document in a spec; write spec", param, ctx)
        return super().convert(value, param, ctx)


@click.command(cls=Verb)
@click.argument("kind", type=_Kind(_FILES), required=False, metavar="[KIND]")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory to write the schema files to: all schemas, or only KIND.",
)
def schema(*, kind: str | None, to: Path | None) -> None:
    """Print the JSON Schema of a spec, or of KIND.

    KIND is spec, fleet (the file of `reconciler simulate`), plan (the output of `reconciler plan -o json`),
    rehearsal (the output of `reconciler rehearse -o json`) or config (the configuration file). With --to, the
    schemas are written to files, and existing files are replaced. If a repository has the spec schema in a
    directory named schemas above its specs, `reconciler adopt` begins each spec with a line that tells
    editors where it is.
    """
    if to is None:
        click.echo(_text(kind or "spec"), nl=False)
        return
    for each in [kind] if kind else _FILES:
        path = to / _FILES[each]
        try:
            to.mkdir(parents=True, exist_ok=True)
            _replace(path, _text(each))
        except OSError as error:
            message = f"cannot write {path}: {error.strerror}; choose another directory with --to"
            raise click.ClickException(message) from error
        click.echo(str(path))


def _text(kind: str) -> str:
    return schema_path(_FILES[kind]).read_text(encoding="utf-8")


def _replace(path: Path, text: str) -> None:
    """Write the file atomically."""
    half = path.with_name(f".{path.name}.part")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
