"""Facts about a scale set and its instances that an operator should know, for `reconciler why`.

Each note is one sentence. No decision depends on a note.
"""

from collections.abc import Iterator, Sequence

from reconciler.rollout.health import is_power_known
from reconciler.rollout.observed import Availability, Instance, Model
from reconciler.rollout.preflight import image_unavailable
from reconciler.rollout.wording import join, list_names
from reconciler.spec.duration import format_duration


def notes(
    model: Model, instances: Sequence[Instance], availability: Availability | None = None
) -> tuple[str, ...]:
    """All notes, most important first. `availability` is about the model's image."""
    return (*_of_image(model, availability), *_of_model(model), *_of_instances(instances))


def _of_image(model: Model, availability: Availability | None) -> Iterator[str]:
    if model.image and availability and (gone := image_unavailable(model.image, model, availability)):
        yield f"scale-out and repairs will fail: {gone.message}"


def _of_model(model: Model) -> Iterator[str]:
    if model.os_image_notice:
        yield (
            f"Azure notifies each instance up to {format_duration(model.os_image_notice)} before "
            "replacing its OS disk (osImageNotificationProfile)"
        )
    if model.terminate_notice:
        yield (
            f"Azure notifies each instance up to {format_duration(model.terminate_notice)} before "
            "deleting it (terminateNotificationProfile)"
        )
    if model.health_grace:
        yield (
            "the Application Health extension may report Initializing for "
            f"{format_duration(model.health_grace)} (gracePeriod)"
        )
    if model.is_spot:
        fate = "deletes" if model.eviction_policy.casefold() == "delete" else "deallocates"
        yield f"the instances are Spot: Azure {fate} an instance that it evicts"


def _of_instances(instances: Sequence[Instance]) -> Iterator[str]:
    if attached := [each.name for each in instances if each.is_attached]:
        yield f"attached by hand and left unchanged: {join(attached)}"
    if own := [each.name for each in instances if each.has_own_model and not each.is_attached]:
        yield (
            "changed individually (modelDefinitionApplied is VirtualMachine), and upgraded only with "
            f"rollout.customizedInstances: overwrite: {join(own)}"
        )
    if unknown := [each.name for each in instances if not is_power_known(each) and each.provisioning]:
        yield f"Azure does not report the power state of {list_names(unknown)}"
    if skipped := [each.name for each in instances if each.skips_upgrade]:
        yield f"to be skipped by upgrades (SkipUpgrade, reported by Application Health): {join(skipped)}"
    phases = sorted({each.upgrade_phase for each in instances if each.upgrade_phase is not None})
    if phases:
        yield f"Application Health reports the upgrade phases {list_names(map(str, phases))}"
