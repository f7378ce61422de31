"""Errors in a fleet file, each with file, line and column, in the format that compilers use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.simulator.clock import VirtualClock
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import FieldError, FleetError
from reconciler.simulator.faults import Faults
from reconciler.simulator.fleet import build
from reconciler.simulator.reading import read


def read_fleet(path: str | Path) -> Mapping[str, Any]:
    """Read a fleet file. Raises FleetError if the file cannot be read or is not valid YAML.

    The exception lists every error that can be found in the file.
    """
    file = read(path)
    if file.problems:
        found = _field_errors(file.value) if file.document else ()
        raise FleetError("\n".join(file.locate(found)))
    return file.value


def check_fleet(path: str | Path) -> list[str]:
    """Return the errors in a fleet file, or an empty list if the file is valid."""
    try:
        build(read_fleet(path), Cloud(VirtualClock()), Faults())
    except FleetError as error:
        return locate(path, error)
    return []


def locate(path: str | Path, error: FleetError) -> list[str]:
    """Return the message of each error with its line and column, sorted by position in the file."""
    return read(path).locate(error.errors) if error.errors else str(error).splitlines()


def _field_errors(description: Mapping[str, Any]) -> tuple[FieldError, ...]:
    try:
        build(description, Cloud(VirtualClock()), Faults())
    except FleetError as error:
        return error.errors
    return ()
