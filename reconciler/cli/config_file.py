"""Reads the configuration file: settings that all contexts share, and contexts for several fleets."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.cli.settings import VARIABLE, Value, config_path, settings
from reconciler.spec.document import Document, document
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.files import LIMIT, File
from reconciler.spec.problem import Place, Problem
from reconciler.spec.text import text_of
from reconciler.spec.tree import trees
from reconciler.spec.wording import printable


class ConfigError(Exception):
    """Why the configuration file cannot be used: one line for each error."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The contents of the configuration file, empty if there is no file. All paths are absolute."""

    path: Path
    current: str = ""
    shared: Mapping[str, Value] = field(default_factory=dict)
    contexts: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def context(self, named: str = "") -> str:
        """The context that applies: the named one, or else the current one, or "" if there is neither.

        Raises ConfigError if the file has no context with that name.
        """
        name = named or self.current
        if name and name not in self.contexts:
            near = difflib.get_close_matches(name, list(self.contexts), n=1)
            fix = (
                f"did you mean {near[0]}?"
                if near
                else "run `reconciler config get-contexts` to see the names"
            )
            raise ConfigError(f"{self.path} has no context {printable(name)!r}; {fix}")
        return name


def read_config(named: str, environment: Mapping[str, str]) -> ConfigFile:
    """Read the named file, or else the default file, which need not exist. Raises ConfigError."""
    path = config_path(named, environment)
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise ConfigError(f"{path}: no such file; correct {VARIABLE} or --config") from None
        return ConfigFile(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return parse_config(path, content)


def parse_config(path: Path, content: bytes) -> ConfigFile:
    """Parse the settings and contexts in `content`. Raises ConfigError."""
    found = _document(File(str(path), content))
    if found is None:
        return ConfigFile(path)
    if problems := sorted(_problems(found)):
        raise ConfigError("\n".join(map(str, problems)))
    return _config(found.value, path)


def _document(file: File) -> Document | None:
    text = text_of(file)
    if isinstance(text, Problem):
        raise ConfigError(str(text))
    read = trees(text, file.path)
    if read.problems:
        raise ConfigError("\n".join(map(str, read.problems)))
    if len(read.documents) > 1:
        raise ConfigError(f"{file.path}: more than one document: keep one")
    return document(read.documents[0].root) if read.documents else None


def _config(value: Any, path: Path) -> ConfigFile:
    def resolve(given: Mapping[str, Any] | None) -> Mapping[str, Value]:
        return {
            name: str(path.parent.absolute() / Path(each).expanduser())
            if settings()[name].get("format") == "path"
            else each
            for name, each in (given or {}).items()
        }

    contexts = {name: resolve(each) for name, each in (value.get("contexts") or {}).items()}
    return ConfigFile(path, value.get("currentContext") or "", resolve(value.get("settings")), contexts)


def _problems(found: Document) -> Iterator[Problem]:
    if not isinstance(found.value, dict):
        yield Problem(found.place, "", "the file is not a mapping: write settings: or contexts:")
        return
    known = ("currentContext", "settings", "contexts")
    yield from _unknown(found, (), known)
    current = found.at("currentContext")
    if current is not None and (not isinstance(current, str) or not current):
        yield _problem(found, ("currentContext",), "is not the name of a context")
    yield from _setting_problems(found, ("settings",))
    contexts = found.at("contexts")
    if isinstance(contexts, dict):
        for name in contexts:
            yield from _setting_problems(found, ("contexts", name))
    elif contexts is not None:
        yield _problem(
            found, ("contexts",), "is not a mapping: write the name of each context, and its settings"
        )


def _setting_problems(found: Document, at: Field) -> Iterator[Problem]:
    given = found.at(*at)
    if given is None:
        return
    if not isinstance(given, dict):
        yield _problem(found, at, "is not a mapping of settings")
        return
    yield from _unknown(found, at, settings())
    for name, value in given.items():
        if name in settings() and (wrong := _wrong(value, settings()[name])):
            yield _problem(found, (*at, name), wrong)


def _wrong(value: object, schema: Mapping[str, Any]) -> str:
    match schema["type"]:
        case "boolean":
            return "" if isinstance(value, bool) else "is not a boolean: write true or false"
        case "array":
            is_right = isinstance(value, list) and all(isinstance(each, str) and each for each in value)
            return "" if is_right else "is not a list of strings: begin each with a hyphen, and quote numbers"
    if not isinstance(value, str):
        return "is not a string: quote it"
    if "enum" in schema and value not in schema["enum"]:
        return f"is not one of {', '.join(schema['enum'])}"
    return "" if value else "is empty: set a value, or remove the line"


def _unknown(found: Document, at: Field, known: Mapping[str, object] | tuple[str, ...]) -> Iterator[Problem]:
    given = found.at(*at) if at else found.value
    for name in given if isinstance(given, dict) else ():
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            fix = f"did you mean {near[0]}?" if near else "see `reconciler schema config`"
            yield Problem(found.key((*at, name)), dotted_path((*at, name)), f"is not a known field: {fix}")


def _problem(found: Document, at: Field, message: str) -> Problem:
    return Problem(found.values.get(at) or Place(found.place.file), dotted_path(at), message)
