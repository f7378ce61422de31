"""`reconciler retry`: retry a failed image, with a tag on its scale sets."""

import sys
from collections.abc import Iterable
from functools import partial

import click

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail
from reconciler.cli.selector import chosen
from reconciler.cli.tagging import (
    check_permitted,
    check_writable,
    declared_model,
    nothing_waits,
    scale_sets_in_force,
    takes_effect_note,
    write_and_report,
)
from reconciler.daemon.gates.fleet import has_failed
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.persisted import Fingerprint
from reconciler.spec.image import Image, follows_latest, is_version_of, short
from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import ScaleSet


def act(
    *,
    names: tuple[str, ...],
    selector: tuple[Requirement, ...] | None,
    reference: str | None,
    fleet: FleetAccess,
) -> None:
    """Retry an image that has failed, or a rollout that has stopped."""
    if bool(names or selector is not None) == (reference is not None):
        raise click.UsageError("pass either NAMES, --selector or --image IMAGE")
    in_force = scale_sets_in_force(fleet.specs, "retried")
    check_permitted(in_force.values(), "retry")
    if reference is None:
        retryable = [(each, each.image) for each in chosen(in_force, names, selector)]
        announce(fleet.session)
    else:
        announce(fleet.session)
        retryable = _failures(reference, fleet.reconciler().once(act=False).states())
    compute = Compute(fleet.session)
    retried = [
        write_and_report(desired.name, partial(_retry, desired, image, compute))
        for desired, image in retryable
    ]
    if not all(retried):
        sys.exit(FAILURE)
    if not retryable:
        click.echo(f"{reference} has failed in no scale set; nothing to retry")


def _failures(reference: str, states: Iterable[ScaleSetState]) -> list[tuple[ScaleSet, Image]]:
    """The scale sets in which an image of this name has failed, with the image."""
    states = list(states)
    wanted = {Fingerprint.of(each.exact): each.exact for each in states if _is_called(each.exact, reference)}
    if not wanted:
        fail(f"no spec in force declares {reference}; run `reconciler status` for the images")
    return [
        (each.desired, image)
        for each in states
        for fingerprint, image in wanted.items()
        if has_failed(each, fingerprint)
    ]


def _is_called(image: Image, reference: str) -> bool:
    return reference.casefold() in {str(image).casefold(), short(image).casefold()}


def _retry(desired: ScaleSet, image: Image, compute: Compute) -> str:
    """Record the retry. Returns the result as a message. Raises AzureFailure and TagUnchanged."""
    model = declared_model(desired, compute)
    failed = model.persisted.failed
    if follows_latest(image):
        # The version that latest meant: the model is on it, unless it failed and was rolled back.
        current = model.image if model.image and is_version_of(model.image, image) else None
        available = compute.availability(image, model, Priority.ROLLOUT).image
        image = available if failed and failed.is_of(available) else current or available
    persisted = model.persisted.with_retry(image, compute.now())
    check_writable(model, persisted)
    if failed is None and nothing_waits(desired, image, model, compute):
        return f"nothing to retry: every instance is on {short(image)} and serves"
    compute.persist(desired.target, model, persisted)
    return (
        f"{short(image)} will be retried, and its earlier failures no longer count; "
        f"{takes_effect_note(desired)}"
    )
