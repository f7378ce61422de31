"""Reads scale sets for the simulator, and says what a fleet file of them leaves out."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.cli.plan_text import number
from reconciler.cli.simulator import simulator_required
from reconciler.daemon.settings import Settings
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Target


@dataclass(frozen=True, slots=True)
class CopiedFleet:
    """A fleet file, when it was read, and the names of the scale sets that could not be read."""

    fleet: Mapping[str, Any]
    at: datetime
    size: str
    failures: tuple[str, ...]


def copy_fleet(session: Session, targets: Iterable[Target], declared: Mapping[str, Image]) -> CopiedFleet:
    """Read these scale sets. `declared` are the images of the specs, by key of the target.

    Names on standard error what the file leaves out. Ends the command if there is no simulator.
    """
    with simulator_required():
        from reconciler.rehearsal.reading import FleetReader  # noqa: PLC0415
        from reconciler.rehearsal.snapshot import snapshot  # noqa: PLC0415
    reader = FleetReader(Compute(session), time.sleep, workers=Settings().workers)
    live = reader.read(targets, declared)
    for name, failure in live.failures.items():
        click.echo(f"error: {name}: {failure}", err=True)
    found = snapshot(live)
    for line in found.left_out:
        click.echo(f"left out: {line}", err=True)
    size = f"{number(len(found.fleet['scaleSets']), 'scale set')}, {number(found.instances, 'instance')}"
    missing = number(len(found.left_out), "fact") if found.left_out else "nothing"
    click.echo(f"{size}; {missing} left out", err=True)
    return CopiedFleet(found.fleet, live.at, size, tuple(live.failures))


def file_text(copied: CopiedFleet) -> str:
    """The text of the fleet file."""
    from reconciler.rehearsal.fleet_text import fleet_text  # noqa: PLC0415 - needs the simulator

    return fleet_text(copied.fleet, f"{copied.size} as of {copied.at:%Y-%m-%d %H:%M} UTC")
