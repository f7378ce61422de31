"""Reads scale sets into a fleet file for the simulator, and reports what the file leaves out."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.cli.failure import fail, show_error
from reconciler.cli.plan_text import named_line
from reconciler.cli.simulator import simulator_required
from reconciler.daemon.settings import Settings
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import count


@dataclass(frozen=True, slots=True)
class CopiedFleet:
    """A fleet file, the time at which the fleet was read, and a text that says how large the fleet is.

    `has_absent` means that some scale sets do not exist, and `has_failures` that some could not be read.
    """

    fleet: Mapping[str, Any]
    at: datetime
    size: str
    has_absent: bool
    has_failures: bool


def copy_fleet(session: Session, targets: Iterable[Target], declared: Mapping[str, Image]) -> CopiedFleet:
    """Read these scale sets. `declared` maps the key of a target to the image in its spec.

    Reports on standard error what could not be read and what the file leaves out. Ends the command if the
    simulator is not installed.
    """
    with simulator_required():
        from reconciler.rehearsal.reading import FleetReader
        from reconciler.rehearsal.snapshot import snapshot
        from reconciler.simulator import FleetError
    reader = FleetReader(Compute(session), time.sleep, workers=Settings().workers)
    live = reader.read(targets, declared)
    for message, names in _by_message(live.failures).items():
        show_error(named_line(message, names))
    if live.absent:
        show_error(named_line("Azure has no such scale set", live.absent))
    try:
        found = snapshot(live)
    except FleetError as error:
        fail(f"the simulator rejects the copy of the fleet; please report it: {error}")
    for line in found.left_out:
        click.echo(f"left out: {line}", err=True)
    size = f"{count(len(found.fleet['scaleSets']), 'scale set')}, {count(found.instances, 'instance')}"
    missing = count(len(found.left_out), "fact") if found.left_out else "nothing"
    click.echo(f"{size}; {missing} left out", err=True)
    return CopiedFleet(found.fleet, live.at, size, bool(live.absent), bool(live.failures))


def _by_message(failures: Mapping[str, str]) -> Mapping[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, message in failures.items():
        groups[message].append(name)
    return groups


def file_text(copied: CopiedFleet) -> str:
    from reconciler.rehearsal.fleet_text import fleet_file_text

    return fleet_file_text(copied.fleet, f"{copied.size} as of {copied.at:%Y-%m-%d %H:%M} UTC")
