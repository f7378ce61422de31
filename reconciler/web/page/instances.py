"""The heat maps of a scale set as JSON, for a terminal."""

from typing import Any

from reconciler.daemon.state import ScaleSetState
from reconciler.web.page.heat_map import Spot, heat_maps


def instances_json(state: ScaleSetState) -> dict[str, Any]:
    """The heat maps of a scale set and their legend. "at" is when the instances were listed."""
    maps, legend = heat_maps(state)
    return {
        "name": state.desired.name,
        "at": state.seen.instances_at.isoformat() if state.seen.instances_at else None,
        "legend": [
            {
                "letter": each.letter,
                "image": each.image,
                "declared": each.is_declared,
                "instances": each.instances,
            }
            for each in legend
        ],
        "maps": [
            {
                "group": each.group,
                "columns": list(each.columns),
                "rows": [
                    {
                        "name": row.name,
                        "summary": row.summary,
                        "cells": [list(map(_spot, cell)) for cell in row.cells],
                    }
                    for row in each.rows
                ],
            }
            for each in maps
        ],
    }


def _spot(spot: Spot) -> dict[str, Any]:
    return {
        "id": spot.id,
        "letter": spot.letter,
        "declared": spot.is_declared,
        "health": spot.health,
        "protected": spot.is_protected,
        "inBatch": spot.is_in_batch,
    }
