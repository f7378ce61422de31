"""`reconciler retry`: a person's word that an image is to be tried again, on the tag of its scale sets."""

import sys
from collections.abc import Iterable
from functools import partial

import click

from reconciler.azure.budget import Share
from reconciler.azure.compute import Compute
from reconciler.cli.announcement import announce
from reconciler.cli.failure import fail
from reconciler.cli.named import unknown
from reconciler.cli.options import FleetAccess, fleet_options
from reconciler.cli.tagging import carry_out, check_writable, declared_model, onward, scale_sets_in_force
from reconciler.cli.verb import Verb
from reconciler.daemon.gates.fleet import has_failed
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.persisted import Fingerprint
from reconciler.spec.image import Image, follows_latest, is_version_of, short
from reconciler.spec.scale_set import ScaleSet


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option(
    "--image",
    "reference",
    metavar="IMAGE",
    help="Try this image again wherever it is declared: as lines name it, or whole.",
)
@fleet_options
def retry(*, name: str | None, reference: str | None, fleet: FleetAccess) -> None:
    """Try again what has failed, or what stands still.

    NAME is that of a spec. What counted against its image counts no more: that it was given up, steps that
    had no effect, deadlines. Its gates are asked as ever, and an instance that is sick counts as ever. With
    --image, an image that no scale set begins any more because it has failed in some (ImageFailedElsewhere)
    is tried again. Both stand on the tag vmss-reconciler-state, and whoever may write that may do this.
    """
    if (name is None) == (reference is None):
        raise click.UsageError("give either NAME, or --image IMAGE")
    in_force = scale_sets_in_force(fleet.specs, "tried again")
    if name is not None and name not in in_force:
        fail(unknown(name, in_force))
    announce(fleet.session)
    if name is not None:
        chosen = [(in_force[name], in_force[name].image)]
    else:
        chosen = _failures(str(reference), fleet.reconciler().once(act=False).states())
    compute = Compute(fleet.session)
    retried = [carry_out(desired, partial(_retry, desired, image, compute)) for desired, image in chosen]
    if not all(retried):
        sys.exit(1)
    if not chosen:
        click.echo(f"{reference} has failed in no scale set; nothing is to be tried again")


def _failures(reference: str, states: Iterable[ScaleSetState]) -> list[tuple[ScaleSet, Image]]:
    """The scale sets in which an image of this name has failed, with that."""
    states = list(states)
    wanted = {Fingerprint.of(each.exact): each.exact for each in states if _is_called(each.exact, reference)}
    if not wanted:
        fail(f"no spec in force declares {reference}; `reconciler status` lists the images")
    return [
        (each.desired, image)
        for each in states
        for fingerprint, image in wanted.items()
        if has_failed(each, fingerprint)
    ]


def _is_called(image: Image, reference: str) -> bool:
    return reference.casefold() in {str(image).casefold(), short(image).casefold()}


def _retry(desired: ScaleSet, image: Image, compute: Compute) -> str:
    """What came of it. Raises AzureFailure, and Kept."""
    model = declared_model(desired, compute)
    failed = model.persisted.failed
    if follows_latest(image):
        # The version that it came to, which the model is on unless it was given up.
        current = model.image if model.image and is_version_of(model.image, image) else None
        available = compute.availability(image, model, Share.ROLLOUT).image
        image = available if failed and failed.is_of(available) else current or available
    persisted = model.persisted.with_retry(image, compute.now())
    check_writable(model, persisted)
    compute.persist(desired.target, model, persisted)
    return f"{short(image)} is tried again, and what counted against it counts no more; {onward(desired)}"
