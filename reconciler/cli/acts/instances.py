"""`reconciler status --instances`: every instance of the declared scale sets, as Azure reports it now."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import Any

import click

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.azure.patience import patiently
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail, show_error
from reconciler.cli.instance_rows import COLUMNS, instance_rows
from reconciler.cli.named import unknown_name
from reconciler.cli.row_errors import NOTHING_FITS
from reconciler.cli.row_filter import RowFilter
from reconciler.daemon.settings import Settings
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.preflight import exact_spec
from reconciler.rollout.reading import partial_read
from reconciler.spec.image import follows_latest, short
from reconciler.spec.scale_set import ScaleSet

_LONGEST_WAIT = timedelta(minutes=10)  # that one request waits in all while Azure throttles


@dataclass(frozen=True, slots=True)
class _Reading:
    """The instances of one scale set as table rows, with an error if the rows are incomplete.

    `is_shown` is False if the filter excludes the scale set.
    """

    rows: Sequence[dict[str, Any]] = ()
    error: str = ""
    is_shown: bool = True


def export(fleet: FleetAccess, wanted: RowFilter, *, is_json: bool) -> None:
    """Print every instance of the matching scale sets, and an error for anything that could not be read."""
    fleet.specs.refresh()
    errors = list(fleet.specs.errors)
    for line in errors:
        show_error(line)
    declared = fleet.specs.scale_sets
    names = [each.name for each in declared]
    for name in wanted.names:
        if name not in names:
            fail(unknown_name(name, names, errors))
    announce(fleet.session)
    reader = _Reader(Compute(fleet.session), wanted)
    chosen = [each for each in sorted(declared, key=lambda each: each.name) if reader.may_fit(each)]
    written, is_whole, is_any = _Writer(is_json=is_json), not errors, False
    with ThreadPoolExecutor(Settings().workers) as pool:
        for desired, found in zip(chosen, pool.map(reader.read, chosen), strict=True):
            is_any = is_any or found.is_shown
            written.add(found.rows)
            if found.error:
                show_error(f"{desired.name}: {found.error}")
                is_whole = False
    if not is_any and not errors:
        fail(NOTHING_FITS)
    written.end()
    if not is_whole:
        sys.exit(FAILURE)


class _Reader:
    """Reads the instances of scale sets, one scale set per call. Safe to share between threads."""

    def __init__(self, azure: Compute, wanted: RowFilter) -> None:
        self._azure = azure
        self._wanted = wanted

    def may_fit(self, desired: ScaleSet) -> bool:
        """Whether the scale set may match the filter, as far as its spec tells.

        The image is compared later: the filter also matches the image of the model, which is not in the spec.
        """
        row = _row(desired, None)
        return self._wanted.without_image().fits(row)

    def read(self, desired: ScaleSet) -> _Reading:
        """The instances of one scale set as table rows, or the error that prevented reading them."""
        try:
            return self._read(desired)
        except AzureFailure as failure:
            return _Reading(error=str(failure))

    def _read(self, desired: ScaleSet) -> _Reading:
        azure, target = self._azure, desired.target
        model = patiently(lambda: azure.model(target, Priority.ROLLOUT), _LONGEST_WAIT)
        if isinstance(model, Absent):
            return _Reading(error=f"there is no scale set {target.id}")
        if not self._wanted.fits(_row(desired, model)):
            return _Reading(is_shown=False)
        instances = patiently(lambda: azure.instances(target, model, Priority.ROLLOUT), _LONGEST_WAIT)
        availability = None
        if follows_latest(desired.image):
            availability = patiently(
                lambda: azure.availability(desired.image, model, Priority.ROLLOUT), _LONGEST_WAIT
            )
        exact = exact_spec(desired, model, availability)
        unread = partial_read(model, instances)
        unresolved = "" if isinstance(exact, ScaleSet) else getattr(exact, "message", "")
        rows = instance_rows(
            desired, exact if isinstance(exact, ScaleSet) else None, model, instances, azure.now()
        )
        return _Reading(rows, "; ".join(filter(None, (unread.message if unread else "", unresolved))))


def _row(desired: ScaleSet, model: Model | None) -> dict[str, Any]:
    """The fields that a filter compares, in the shape of `reconciler.daemon.report.state`."""
    image = model.image if model else None
    return {
        "name": desired.name,
        "labels": desired.labels,
        "status": None,
        "target": desired.target.id,
        "image": str(desired.image),
        "shortImage": short(desired.image),
        "modelImage": str(image) if image else None,
        "shortModelImage": short(image) if image else None,
    }


class _Writer:
    """Prints rows as they arrive, so that a large export is never held in memory as a whole."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json
        self._is_first = True

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        if self._is_json:
            for row in rows:
                click.echo(f"{'[' if self._is_first else ','}\n{json.dumps(row)}", nl=False)
                self._is_first = False
        elif rows:
            header = [COLUMNS] if self._is_first else []
            click.echo(_csv([*header, *([_text(row[name]) for name in COLUMNS] for row in rows)]), nl=False)
            self._is_first = False

    def end(self) -> None:
        if self._is_json:
            click.echo("[]" if self._is_first else "\n]")
        elif self._is_first:
            click.echo(_csv([COLUMNS]), nl=False)


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _text(value: object) -> str:
    """A value as CSV text: a string unchanged, None as an empty string, and any other value as in JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
