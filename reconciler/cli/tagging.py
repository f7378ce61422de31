"""What the verbs have in common that write a tag of a scale set, which a daemon reads."""

from collections.abc import Callable, Mapping

import click

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure, Conflict
from reconciler.cli.failure import fail
from reconciler.daemon.specs import Specs
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.tags import MOST, STATE, is_storable, missing_room, with_state
from reconciler.spec.scale_set import ScaleSet


class TagUnchanged(Exception):
    """Why the tag of a scale set stays as it is, in words."""


def scale_sets_in_force(specs: Specs, action: str) -> Mapping[str, ScaleSet]:
    """Those that are declared now, by name. With a mistake anywhere nobody can say what the daemon goes by,
    and nothing is `done`."""
    specs.refresh()
    if specs.errors:
        for line in specs.errors:
            click.echo(f"error: {line}", err=True)
        fail(f"nothing is {action} while the specs cannot be read, or hold mistakes")
    return {each.name: each for each in specs.scale_sets}


def retry_conflict(write: Callable[[], str]) -> str:
    """What comes of `write`, tried once more where somebody else was faster, such as an autoscaler."""
    try:
        return write()
    except Conflict:
        return write()


def write_and_report(desired: ScaleSet, write: Callable[[], str]) -> bool:
    """Say what came of `write` on one scale set of several. Whether it neither failed nor raised Kept."""
    try:
        result = retry_conflict(write)
    except (AzureFailure, TagUnchanged) as why:
        click.echo(f"error: {desired.name}: {why}", err=True)
        return False
    click.echo(f"{desired.name}: {result}")
    return True


def declared_model(desired: ScaleSet, compute: Compute) -> Model:
    """The model of a declared scale set. Raises AzureFailure, and Kept where there is no such scale set."""
    model = compute.model(desired.target, Priority.ROLLOUT)
    if isinstance(model, Absent):
        raise TagUnchanged(f"there is no scale set {desired.target.id}")
    return model


def check_writable(model: Model, persisted: PersistedState) -> None:
    """Raises Kept where this cannot be written on the tags of a scale set."""
    if model.owner:
        raise TagUnchanged(f"it belongs to {model.owner}, and is no fleet's")
    if not model.persisted.is_readable:
        raise TagUnchanged(
            f"a later version of this program wrote the tag {STATE}; run that version, or remove the tag"
        )
    if not is_storable(persisted) or missing_room(model.tags, with_state(model.tags, persisted)):
        raise TagUnchanged(f"there is no room for it: Azure allows {MOST} tags; remove one of the scale set")


def takes_effect_note(desired: ScaleSet) -> str:
    """When the daemon goes by the tag."""
    if desired.fleet.freeze:
        return "nothing moves while the fleet is frozen"
    return (
        "nothing moves while it is suspended" if desired.suspend else "the daemon sees it at its next sweep"
    )
