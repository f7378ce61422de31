"""Shows the settings and contexts of the configuration file, and changes its current context."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler.cli import table
from reconciler.cli.config_file import ConfigError, ConfigFile, parse_config, read_config
from reconciler.cli.configured import effective
from reconciler.cli.failure import fail
from reconciler.cli.settings import Value, settings, variable_of
from reconciler.cli.structured import STRUCTURED, show_structured

_CURRENT = re.compile(r"^currentContext:[^\n#]*?(?=\s*(?:#[^\n]*)?$)", re.M)


@dataclass(frozen=True, slots=True)
class _Setting:
    """The value of a setting, or None if the setting is not set, and the origin of the value."""

    value: Value | None
    origin: str

    @property
    def text(self) -> str:
        match self.value:
            case None:
                return "-"
            case bool():
                return str(self.value).lower()
            case list():
                return ", ".join(self.value)
        return self.value


def show(file: str, context: str, output: str) -> None:
    """Print each setting and where it comes from."""
    with _errors():
        config = read_config(file, os.environ)
        context = config.context(context)
    found = dict(_found(config, context, os.environ))
    if output in STRUCTURED:
        rows = {name: {"value": each.value, "from": each.origin} for name, each in found.items()}
        show_structured({"file": str(config.path), "context": context or None, "settings": rows}, output)
        return
    table.show(
        table.grid(
            ("setting", "value", "from"), [(name, each.text, each.origin) for name, each in found.items()]
        )
    )


def list_contexts(file: str, output: str) -> None:
    """Print each context with its specs and its daemon."""
    with _errors():
        config = read_config(file, os.environ)
    rows = [_context(config, name) for name in config.contexts]
    if output in STRUCTURED:
        show_structured(rows, output)
        return
    if not rows:
        click.echo(f"{config.path} has no contexts", err=True)
        return
    cells = [("*" if row["current"] else "", row["name"], row["specs"], row["server"]) for row in rows]
    table.show(table.grid(("current", "name", "specs", "server"), [tuple(map(str, row)) for row in cells]))


def use_context(name: str, file: str) -> None:
    """Make this context the current one, and leave the rest of the file unchanged."""
    with _errors():
        config = read_config(file, os.environ)
        config.context(name)
        _replace(config.path, _with_current(config.path, config.path.read_text(encoding="utf-8"), name))
    click.echo(f"{config.path}: the current context is {name}")


def _with_current(path: Path, text: str, name: str) -> str:
    """The text of the file with `name` as the current context.

    Raises ConfigError if the line to change cannot be found.
    """
    line = f"currentContext: {json.dumps(name)}"
    changed = _CURRENT.sub(lambda _: line, text, 1) if _CURRENT.search(text) else f"{text.rstrip()}\n{line}\n"
    try:
        if parse_config(path, changed.encode()).current == name:
            return changed
    except ConfigError:
        pass
    raise ConfigError(f"{path}: the line that sets currentContext was not found; write it yourself: {line}")


def _found(
    config: ConfigFile, context: str, environment: Mapping[str, str]
) -> Iterator[tuple[str, _Setting]]:
    """Each setting, with the value that applies in `context`.

    An environment variable overrides its setting and any alternatives to that setting.
    """
    values = effective(config, context, {name for name in settings() if variable_of(name) in environment})
    own = config.contexts.get(context, {})
    for name, schema in sorted(settings().items()):
        if (variable := variable_of(name)) in environment:
            yield name, _Setting(environment[variable], f"variable {variable}")
        elif name in values:
            yield (
                name,
                _Setting(values[name], f"context {context}" if name in own else "settings of the file"),
            )
        elif "default" in schema:
            yield name, _Setting(schema["default"], "default")
        else:
            yield name, _Setting(None, "not set")


def _context(config: ConfigFile, name: str) -> dict[str, str | bool]:
    values = effective(config, name, ())
    defaults = {key: str(each["default"]) for key, each in settings().items() if "default" in each}
    return {
        "name": name,
        "current": name == config.current,
        "specs": str(values.get("git") or values.get("specs") or defaults["specs"]),
        "server": str(values.get("server") or defaults["server"]),
    }


@contextmanager
def _errors() -> Iterator[None]:
    """End the command if the `with` block finds an error in the configuration file."""
    try:
        yield
    except ConfigError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def _replace(path: Path, text: str) -> None:
    """Replace the file atomically and keep its permissions. A symbolic link stays a link."""
    target = path.resolve()
    with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=f".{target.name}.", delete=False) as half:
        try:
            half.write(text)
            half.close()
            os.chmod(half.name, target.stat().st_mode & 0o777)
            os.replace(half.name, target)
        except BaseException:
            Path(half.name).unlink(missing_ok=True)
            raise
