"""`reconciler retry`: retry a failed image, by changing a tag on its scale sets."""

import sys
from collections.abc import Iterable
from functools import partial

import click

from reconciler.acts.retry import retry
from reconciler.azure.compute import Compute
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail
from reconciler.cli.selector import chosen
from reconciler.cli.tagging import check_permitted, scale_sets_in_force, write_and_report
from reconciler.daemon.gates.fleet import has_failed
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.persisted import Fingerprint
from reconciler.spec.image import Image, short
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
        raise click.UsageError("pass NAMES, --selector or --image IMAGE")
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
        write_and_report(desired.name, partial(retry, desired, image, compute))
        for desired, image in retryable
    ]
    if not all(retried):
        sys.exit(FAILURE)
    if not retryable:
        click.echo(f"{reference} has not failed in any scale set; nothing to retry")


def _failures(reference: str, states: Iterable[ScaleSetState]) -> list[tuple[ScaleSet, Image]]:
    """The scale sets in which an image with this name has failed, each with that image.

    Ends the command if no active spec declares the image.
    """
    states = list(states)
    wanted = {Fingerprint.of(each.exact): each.exact for each in states if _is_called(each.exact, reference)}
    if not wanted:
        fail(f"no spec in force declares {reference}; run `reconciler status` to see the images")
    return [
        (each.desired, image)
        for each in states
        for fingerprint, image in wanted.items()
        if has_failed(each, fingerprint)
    ]


def _is_called(image: Image, reference: str) -> bool:
    return reference.casefold() in {str(image).casefold(), short(image).casefold()}
