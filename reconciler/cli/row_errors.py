"""Errors about names and filters that match none of the daemon's scale sets."""

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.cli.failure import fail
from reconciler.cli.named import unknown_name
from reconciler.cli.row_filter import RowFilter
from reconciler.cli.selector import fits_labels
from reconciler.spec.label import Requirement

NOTHING_FITS = "no scale set matches; run `reconciler status` without names or filters to see all of them"


def rows_named(found: Mapping[str, Any], names: Collection[str]) -> list[dict[str, Any]]:
    """The scale sets with these names in a store, in this order. Ends the command if a name is unknown."""
    rows = {row["name"]: row for row in found["scaleSets"]}
    for name in names:
        if name not in rows:
            fail(unknown_name(name, rows, (found["sweep"] or {}).get("errors") or ()))
    return [rows[name] for name in names]


def rows_chosen(
    found: Mapping[str, Any], names: Collection[str], selector: tuple[Requirement, ...] | None
) -> list[dict[str, Any]]:
    """The scale sets in a store that have one of these names or match the selector.

    Ends the command if a name is unknown, or if the selector matches nothing.
    """
    rows = rows_named(found, names)
    if selector is not None:
        fitting = [row for row in found["scaleSets"] if fits_labels(selector, row.get("labels") or {})]
        if not fitting:
            fail(NOTHING_FITS)
        rows += [row for row in fitting if row["name"] not in names]
    return rows


def check_names(found: Mapping[str, Any], wanted: RowFilter) -> None:
    """End the command if a name belongs to neither a scale set nor an orphan."""
    if found["sweep"] is None:
        return
    known = [each["name"] for each in (*found["scaleSets"], *(found.get("orphans") or ()))]
    for name in wanted.names:
        if name not in known:
            fail(unknown_name(name, known, found["sweep"]["errors"]))


def check_fit(found: Mapping[str, Any], wanted: RowFilter) -> None:
    """End the command if the filters match nothing in this store."""
    if wanted.is_empty or found["scaleSets"] or found["orphans"]:
        return
    if found["sweep"] is None:
        fail("the daemon has not finished its first sweep; try again in a moment")
    fail(NOTHING_FITS)
