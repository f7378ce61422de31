"""Who changed a model last, read by the command itself if no daemon responds."""

from functools import partial
from typing import Any

from reconciler.azure.activity_log import last_model_write
from reconciler.cli.access import FleetAccess
from reconciler.daemon.last_change import last_change


def own_last_change(fleet: FleetAccess, name: str) -> dict[str, Any] | None:
    """The last change of the scale set with this name, or None if no spec in force declares it."""
    target = next((each.target for each in fleet.specs.scale_sets if each.name == name), None)
    return last_change(partial(last_model_write, fleet.session, target), "you") if target else None
