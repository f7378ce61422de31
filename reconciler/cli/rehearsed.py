"""Runs rehearsals for a command, on a copy of the live fleet or on a fleet file. Failures end the command."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from reconciler.cli.access import FleetAccess
from reconciler.cli.copying import copy_fleet
from reconciler.cli.exit_codes import USAGE
from reconciler.cli.failure import fail
from reconciler.cli.simulator import simulator_required
from reconciler.rehearsal.fault import Fault

Json = Mapping[str, Any]


def rehearse_live(fleet: FleetAccess, faults: Sequence[Fault], seed: int) -> Json:
    """Rehearse, starting from the declared scale sets as they are in Azure now. Returns the report."""
    declared = fleet.specs.scale_sets
    copied = copy_fleet(
        fleet.session,
        [each.target for each in declared],
        {each.target.key: each.image for each in declared},
    )
    if copied.has_failures:
        fail("nothing was rehearsed: not every declared scale set could be read")
    return _rehearse(copied.fleet, fleet, copied.at, faults, seed)


def rehearse_file(path: Path, fleet: FleetAccess, faults: Sequence[Fault], seed: int) -> Json:
    """Rehearse, starting now from the scale sets in a fleet file. Returns the report."""
    with simulator_required():
        from reconciler.simulator import FleetError, check_fleet, read_fleet

    try:
        described = read_fleet(path)
    except FleetError as error:
        fail(str(error), USAGE)
    if errors := check_fleet(path):
        fail("\n".join(errors), USAGE)
    return _rehearse(described, fleet, fleet.session.now(), faults, seed)


def _rehearse(described: Json, fleet: FleetAccess, at: datetime, faults: Sequence[Fault], seed: int) -> Json:
    with simulator_required():
        from reconciler.rehearsal import report
        from reconciler.rehearsal.injection import NoTarget
        from reconciler.rehearsal.rehearsal import rehearse
        from reconciler.simulator import FleetError
    try:
        return report.rehearsal(rehearse(described, fleet.specs, at, faults, seed=seed))
    except FleetError as error:
        fail(str(error), USAGE)
    except NoTarget as error:
        raise click.UsageError(f"--fault {error}") from error
