"""What stands between a scale set and the desired image before Azure is asked for it.

Azure would refuse most of it too, but some of it only when the first instance is made: checked first, it
costs neither an instance nor a model. To add a check: a `Verdict` that `reconciler.azure.catalogue` finds, a
row below, a `Reason`, its standing, a row in the test's table.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Availability, Instance, Model, Observed, Verdict
from reconciler.rollout.reason import Reason
from reconciler.rollout.traits import Traits
from reconciler.spec.image import Image, follows_latest, is_version_of, order, same, short, version
from reconciler.spec.scale_set import ScaleSet

# "... has reached its limit of 10 models that may be referenced by one or more VMs belonging to the Virtual
# Machine Scale Set".
_MOST_MODELS = 10

_REFUSALS: Mapping[Verdict, tuple[Reason, str]] = {
    Verdict.NOT_FOUND: (
        Reason.IMAGE_NOT_FOUND,
        "not found; correct spec.image, or publish the image",
    ),
    Verdict.NOT_REPLICATED: (
        Reason.IMAGE_NOT_REPLICATED,
        "not replicated to the region of the scale set; add the region to its target regions",
    ),
    Verdict.REPLICATING: (
        Reason.IMAGE_REPLICATING,
        "still replicating to the region of the scale set; the model is set when that is done",
    ),
    Verdict.DEPRECATED: (
        Reason.IMAGE_DEPRECATED,
        "deprecated, so Azure creates no instance from it; declare a newer version",
    ),
    Verdict.NO_LATEST: (
        Reason.NO_LATEST_VERSION,
        "no version qualifies as latest; publish one to this region that is not excluded from latest",
    ),
    Verdict.UNREADABLE: (
        Reason.CATALOGUE_UNREADABLE,
        "the latest version cannot be looked up",
    ),
}


def image_unavailable(image: Image, availability: Availability) -> Decision | None:
    """Why the model cannot be set to `image`, or None."""
    if availability.verdict not in _REFUSALS:
        return None
    reason, words = _REFUSALS[availability.verdict]
    evidence = f" ({availability.evidence})" if availability.evidence else ""
    return Decision(reason, f"{image}: {words}{evidence}")


# What an image with each value of the feature "SecurityType" may be run as; one without it tells nothing.
_SECURITY: Mapping[str, frozenset[str]] = {
    "trustedlaunch": frozenset({"trustedlaunch"}),
    "trustedlaunchsupported": frozenset({"standard", "trustedlaunch"}),
    "confidentialvm": frozenset({"confidentialvm"}),
    "confidentialvmsupported": frozenset({"standard", "confidentialvm"}),
    "trustedlaunchandconfidentialvmsupported": frozenset({"standard", "trustedlaunch", "confidentialvm"}),
}


_ROUNDING = 1  # GB by which the size of an image may be told too large


def incompatibility(model: Model, availability: Availability) -> Decision | None:
    """Why the scale set cannot run the image, by what the catalogue tells of it and of the one it leaves."""
    wanted, current = availability.traits or Traits(), availability.current or Traits()
    found = [*_incompatibilities(model, wanted, current)]
    if not found:
        return None
    return Decision(Reason.IMAGE_INCOMPATIBLE, f"{short(availability.image)}: {'; '.join(found)}")


def _incompatibilities(model: Model, wanted: Traits, current: Traits) -> Iterator[str]:
    if _differ(wanted.generation, current.generation):
        yield (
            f"it is of Hyper-V generation {wanted.generation} and the scale set runs {current.generation}: "
            f"declare an image of generation {current.generation}"
        )
    if _differ(wanted.architecture, current.architecture):
        yield (
            f"it is made for {wanted.architecture} and the scale set runs {current.architecture}: declare an "
            f"image for {current.architecture}"
        )
    # An image of 30 GB and one megabyte is told as one of 31 GB, and was recorded to run on a disk of 30 GB.
    if wanted.disk_size and model.disk_size and wanted.disk_size > model.disk_size + _ROUNDING:
        yield (
            f"it needs an OS disk of {wanted.disk_size} GB and the scale set has {model.disk_size} GB: set "
            f"osDisk.diskSizeGB to at least {wanted.disk_size}"
        )
    security = model.security_type.casefold() or "standard"
    if security not in _SECURITY.get(wanted.security_type.casefold(), {security}):
        yield (
            f"its security type is {wanted.security_type} and the scale set has "
            f"{model.security_type or 'Standard'}: declare an image that supports it"
        )
    # What the scale set runs already it may run, whatever its own plan is read as.
    plans = {str(each).casefold() for each in (model.plan, current.plan)}
    if wanted.plan and str(wanted.plan).casefold() not in plans:
        has = model.plan or "none"
        yield (
            f"it requires the purchase plan {wanted.plan} and the scale set has {has}: only a new scale "
            "set can have another plan"
        )


def _differ(wanted: str, current: str) -> bool:
    """Whether both are told, and are not the same word but for their case."""
    return bool(wanted and current) and wanted.casefold() != current.casefold()


def newest_version(image: Image, model: Model, availability: Availability) -> Image | Decision:
    """What an `image` that follows latest means for this scale set now, or why it can mean nothing.

    It never moves a scale set back, nor stops one half-way: a version that is withdrawn, or a catalogue that
    is behind or cannot be read, is no order to downgrade a fleet.
    """
    current = model.image if model.image and is_version_of(model.image, image) else None
    if refused := image_unavailable(image, availability):
        return current or refused
    found = availability.image
    return current if current and order(version(current)) > order(version(found)) else found


def exact_spec(
    desired: ScaleSet, model: Model, availability: Availability | None
) -> ScaleSet | Decision | None:
    """The spec with the exact image that it means for this scale set now: of latest the newest. Its
    `health.timeout` is longer by what Azure itself lets an upgrade wait.

    A Decision where it can mean none, None where the catalogue was not asked yet.
    """
    if follows_latest(desired.image) and availability is None:
        return None
    found = desired.image if availability is None else _exact(desired.image, model, availability)
    if isinstance(found, Decision):
        return found
    # "PT15M" of notice before the OS disk is replaced, and a grace period in which health is Initializing.
    timeout = desired.health.timeout + model.os_image_notice + model.health_grace
    return replace(desired, image=found, health=replace(desired.health, timeout=timeout))


def _exact(image: Image, model: Model, availability: Availability) -> Image | Decision:
    return newest_version(image, model, availability) if follows_latest(image) else image


def exact_if_known(desired: ScaleSet, observed: Observed) -> ScaleSet:
    """The spec with its exact image, as it is declared where what was seen does not tell which that is."""
    if not isinstance(observed.model, Model):
        return desired
    found = exact_spec(desired, observed.model, observed.availability)
    return found if isinstance(found, ScaleSet) else desired


def too_many_models(desired: Image, instances: Iterable[Instance]) -> Decision | None:
    """Why Azure's limit on models in use leaves no room for one more, or None.

    Counted by image: there may be more models than that, and then Azure itself refuses.
    """
    in_use = {str(each.image).casefold(): each.image for each in instances if each.image is not None}
    others = [image for image in in_use.values() if not same(image, desired)]
    if len(others) < _MOST_MODELS:
        return None
    oldest = min(others, key=lambda image: (order(version(image)), str(image)))
    return Decision(
        Reason.TOO_MANY_MODELS,
        f"the instances run {len(others)} images and Azure allows {_MOST_MODELS}; bring those on the oldest "
        f"({short(oldest)}) to the model with `az vmss update-instances`",
    )
