"""`reconciler approve`: a person's word on the very image that is declared, on a tag of its scale set."""

from dataclasses import replace

import click

from reconciler.azure.budget import Share
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.cli.announcement import announce
from reconciler.cli.failure import fail
from reconciler.cli.named import unknown
from reconciler.cli.options import FleetAccess, fleet_options
from reconciler.cli.tagging import insist, onward, scale_sets_in_force
from reconciler.cli.verb import Verb
from reconciler.rollout.decision import Decision
from reconciler.rollout.member import has_begun
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.preflight import exact_spec
from reconciler.spec.image import Image, follows_latest, same, short
from reconciler.spec.scale_set import Approval, OnFailure, ScaleSet


@click.command(cls=Verb)
@click.argument("name")
@fleet_options
def approve(*, name: str, fleet: FleetAccess) -> None:
    """Approve the image that is declared for a scale set, where `rollout.approval` asks for it.

    NAME is that of its spec. The approval is of this one image, and stands on a tag of the scale set:
    whoever may write that may approve. Where the spec follows latest, it is of the version that this means
    now.
    """
    in_force = scale_sets_in_force(fleet.specs, "approved")
    desired = in_force[name] if name in in_force else fail(unknown(name, in_force))
    if desired.rollout.approval is None:
        fail(f"{name}: nothing waits for an approval: its spec asks for none (spec.rollout.approval)")
    announce(fleet.session)
    compute = Compute(fleet.session)
    try:
        said = insist(lambda: _approve(desired, compute))
    except AzureFailure as failure:
        fail(f"{name}: {failure}")
    click.echo(f"{name}: {said}")


def _approve(desired: ScaleSet, compute: Compute) -> str:
    """What came of it. Raises AzureFailure."""
    model = compute.model(desired.target, Share.ROLLOUT)
    if isinstance(model, Absent):
        fail(f"{desired.name}: there is no scale set {desired.target.id}")
    image = _exact(desired, model, compute)
    if model.persisted.stand_in(image) and desired.rollout.on_failure is not OnFailure.HOLD:
        fail(
            f"{desired.name}: {short(image)} was given up, and no approval brings it back: declare another "
            "image, or empty the tag vmss-reconciler-state of the scale set"
        )
    if model.persisted.is_approved(image):
        return f"{short(image)} is approved already"
    early = desired.rollout.approval is Approval.CANARY and not _has_begun(desired, model, image, compute)
    compute.approve(desired.target, model, image)
    beforehand = " before any instance was upgraded, so that the rollout will not stop after its canary"
    return f"{short(image)} is approved{beforehand if early else ''}; {onward(desired)}"


def _has_begun(desired: ScaleSet, model: Model, image: Image, compute: Compute) -> bool:
    """Whether the model and some instance are on this image, as far as Azure tells."""
    if model.image is None or not same(model.image, image):
        return False
    try:
        instances = compute.instances(desired.target, model, Share.ROLLOUT)
    except AzureFailure:
        return True  # no reason not to approve
    return has_begun(replace(desired, image=image), model, instances)


def _exact(desired: ScaleSet, model: Model, compute: Compute) -> Image:
    """The image that the daemon would set."""
    available = None
    if follows_latest(desired.image):
        available = compute.availability(desired.image, model, Share.ROLLOUT)
    found = exact_spec(desired, model, available)
    if isinstance(found, Decision):
        fail(f"{desired.name}: {found.message}")
    return found.image if found else desired.image
