"""The mistakes of a fleet file, each after its file, line and column, as compilers write them."""

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
    """What the file says. Raises FleetError with every mistake in a file that is not there or is no YAML."""
    file = read(path)
    if file.problems:
        found = _field_errors(file.value) if file.document else ()
        raise FleetError("\n".join(file.locate(found)))
    return file.value


def check_fleet(path: str | Path) -> list[str]:
    """Every mistake that can be found without serving the file; none if it is right."""
    try:
        build(read_fleet(path), Cloud(VirtualClock()), Faults())
    except FleetError as error:
        return locate(path, error)
    return []


def locate(path: str | Path, error: FleetError) -> list[str]:
    """The lines of the error, each after the place that it is about, in the order of the file."""
    return read(path).locate(error.errors) if error.errors else str(error).splitlines()


def _field_errors(description: Mapping[str, Any]) -> tuple[FieldError, ...]:
    try:
        build(description, Cloud(VirtualClock()), Faults())
    except FleetError as error:
        return error.errors
    return ()
