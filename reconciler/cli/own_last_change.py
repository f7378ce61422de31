"""Finds who last changed a model. The command asks Azure itself if no daemon responds."""

from functools import partial
from typing import Any

from reconciler.azure.activity_log import last_model_write
from reconciler.cli.access import FleetAccess
from reconciler.daemon.last_change import last_change


def own_last_change(fleet: FleetAccess, name: str) -> dict[str, Any] | None:
    """The last change to the model of this scale set, or None if no active spec declares the scale set."""
    target = next((each.target for each in fleet.specs.scale_sets if each.name == name), None)
    return last_change(partial(last_model_write, fleet.session, target), "you") if target else None
