"""`reconciler diff`: compare scale sets with their specs."""

import sys
from collections import Counter
from collections.abc import Iterator

import click

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import DIFFERENT, NOT_COMPARED
from reconciler.cli.failure import show_error
from reconciler.cli.selector import chosen
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Absent, Instance
from reconciler.rollout.preflight import exact_spec
from reconciler.spec.image import Image, follows_latest, same
from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.wording import count


def act(*, names: tuple[str, ...], selector: tuple[Requirement, ...] | None, fleet: FleetAccess) -> None:
    """Show where scale sets differ from their specs."""
    in_force = scale_sets_in_force(fleet.specs, "compared")
    announce(fleet.session)
    compute = fleet.azure()
    is_all = not names and selector is None
    codes = {
        _show(each, compute) for each in (in_force.values() if is_all else chosen(in_force, names, selector))
    }
    sys.exit(max(codes, default=0))


def _show(desired: ScaleSet, compute: Compute) -> int:
    """Print how one scale set differs from its spec. Returns 0, DIFFERENT or NOT_COMPARED."""
    try:
        lines = list(_difference(desired, compute))
    except AzureFailure as failure:
        show_error(f"{desired.name}: {failure}")
        return NOT_COMPARED
    if not lines:
        return 0
    click.echo(f"--- {desired.target.id}")
    click.echo(f"+++ {desired.place}")
    for line in lines:
        click.echo(line)
    return DIFFERENT


def _difference(desired: ScaleSet, compute: Compute) -> Iterator[str]:
    """The lines that describe the differences. Raises AzureFailure."""
    model = compute.model(desired.target, Priority.ROLLOUT)
    if isinstance(model, Absent):
        yield "+the scale set, which Azure does not have"
        return
    wanted = desired.image
    if follows_latest(wanted):
        found = exact_spec(desired, model, compute.availability(wanted, model, Priority.ROLLOUT))
        if isinstance(found, Decision):
            yield f"+image: {wanted} ({found.message})"
            return
        wanted = found.image if found else wanted
    if model.image is None or not same(model.image, wanted):
        yield f"-image: {model.image or 'unknown'}"
        yield f"+image: {wanted}"
    others = _other_images(compute.instances(desired.target, model, Priority.ROLLOUT), wanted)
    for image, number in sorted(others.items()):
        yield f"-{count(number, 'instance')}: {image}"
    if others:
        yield f"+{count(others.total(), 'instance')}: {wanted}"


def _other_images(instances: tuple[Instance, ...], wanted: Image) -> Counter[str]:
    """The number of instances on each image other than the wanted one."""
    return Counter(
        str(each.image or "unknown")
        for each in instances
        if each.image is None or not same(each.image, wanted)
    )
