"""Checks the desired image before the model is set.

Azure would also refuse most images that fail a check, but some of them only when the first instance is
created. A check in advance costs neither an instance nor a change to the model. To add a check, add a
`Verdict` that `reconciler.azure.catalogue` finds, a row below, a `Reason` with its row, and a row in the
table of the test.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Availability, Instance, Model, Observed, Verdict
from reconciler.rollout.reason import Reason
from reconciler.rollout.traits import Traits
from reconciler.spec.image import (
    Image,
    PlatformImage,
    follows_latest,
    is_version_of,
    order,
    same,
    short,
    version,
)
from reconciler.spec.scale_set import ScaleSet

# "... has reached its limit of 10 models that may be referenced by one or more VMs belonging to the Virtual
# Machine Scale Set".
_MOST_MODELS = 10

_REFUSALS: Mapping[Verdict, tuple[Reason, str]] = {
    Verdict.NOT_FOUND: (
        Reason.IMAGE_NOT_FOUND,
        "{image} was not found in {region}{note}; correct spec.image, or publish the image",
    ),
    Verdict.NOT_REPLICATED: (
        Reason.IMAGE_NOT_REPLICATED,
        "{image} is not in {region}{note}; add {region} to the image's target regions",
    ),
    Verdict.REPLICATING: (
        Reason.IMAGE_REPLICATING,
        "{image} is being copied to {region}{note}; the model will be changed once the copy is complete",
    ),
    Verdict.DEPRECATED: (
        Reason.IMAGE_DEPRECATED,
        "{image} is deprecated{note}, so Azure will not create instances from it; declare a newer version",
    ),
    Verdict.NO_LATEST: (
        Reason.NO_LATEST_VERSION,
        "{image} does not resolve to any version in {region}{note}; publish a version there that is not "
        "excluded from latest",
    ),
    Verdict.UNREADABLE: (
        Reason.CATALOGUE_UNREADABLE,
        "could not resolve {image} to a version{cause}",
    ),
}


def image_unavailable(image: Image, model: Model, availability: Availability) -> Decision | None:
    """Why the model cannot be set to `image`, or None."""
    if availability.verdict not in _REFUSALS:
        return None
    reason, words = _REFUSALS[availability.verdict]
    evidence = availability.evidence
    note, cause = (f" ({evidence})", f": {evidence}") if evidence else ("", "")
    # The id of a gallery image is longer than a line, and the spec contains it anyway.
    name = image if isinstance(image, PlatformImage) else short(image)
    return Decision(reason, words.format(image=name, region=model.location, note=note, cause=cause))


# The security types of scale sets that can run an image, by its feature "SecurityType".
_SECURITY: Mapping[str, frozenset[str]] = {
    "trustedlaunch": frozenset({"trustedlaunch"}),
    "trustedlaunchsupported": frozenset({"standard", "trustedlaunch"}),
    "confidentialvm": frozenset({"confidentialvm"}),
    "confidentialvmsupported": frozenset({"standard", "confidentialvm"}),
    "trustedlaunchandconfidentialvmsupported": frozenset({"standard", "trustedlaunch", "confidentialvm"}),
}


_ROUNDING = 1  # GB by which the reported size of an image can be too large


def incompatibility(model: Model, availability: Availability) -> Decision | None:
    """Why the scale set cannot run the image, or None.

    The traits of the image are compared with the scale set and with the traits of its current image.
    """
    wanted, current = availability.traits or Traits(), availability.current or Traits()
    found = [*_incompatibilities(model, wanted, current)]
    if not found:
        return None
    return Decision(
        Reason.IMAGE_INCOMPATIBLE,
        f"{short(availability.image)} is not compatible with the scale set: {'; '.join(found)}",
    )


def _incompatibilities(model: Model, wanted: Traits, current: Traits) -> Iterator[str]:
    if _differ(wanted.generation, current.generation):
        yield (
            f"it is Hyper-V generation {wanted.generation}, but the scale set runs {current.generation} "
            f"(declare a {current.generation} image)"
        )
    if _differ(wanted.architecture, current.architecture):
        yield (
            f"it is built for {wanted.architecture}, but the scale set runs {current.architecture} (declare "
            f"an image for {current.architecture})"
        )
    # An image of 30 GB and one megabyte is reported as 31 GB, and was observed to run on a disk of 30 GB.
    if wanted.disk_size and model.disk_size and wanted.disk_size > model.disk_size + _ROUNDING:
        yield (
            f"it needs a {wanted.disk_size} GB OS disk, but the scale set has {model.disk_size} GB (set "
            f"osDisk.diskSizeGB to at least {wanted.disk_size})"
        )
    security = model.security_type.casefold() or "standard"
    if security not in _SECURITY.get(wanted.security_type.casefold(), {security}):
        has = model.security_type or "Standard"
        yield (
            f"its security type is {wanted.security_type}, but the scale set's is {has} (declare an image "
            f"of security type {has})"
        )
    # The plan of the current image is accepted too, whatever plan was read from the scale set.
    plans = {str(each).casefold() for each in (model.plan, current.plan)}
    if wanted.plan and str(wanted.plan).casefold() not in plans:
        yield (
            f"it requires the plan {wanted.plan}, but the scale set has {model.plan or 'none'} (create a new "
            "scale set with this plan)"
        )


def _differ(wanted: str, current: str) -> bool:
    """Whether both values are known and differ by more than case."""
    return bool(wanted and current) and wanted.casefold() != current.casefold()


def newest_version(image: Image, model: Model, availability: Availability) -> Image | Decision:
    """The version that `latest` means for this scale set now, or why there is none. `image` names latest.

    The result never moves a scale set to an older version, and never stops a rollout in progress. A fleet is
    not downgraded if a version is withdrawn, or if the catalogue is out of date or unreadable.
    """
    current = model.image if model.image and is_version_of(model.image, image) else None
    if refused := image_unavailable(image, model, availability):
        return current or refused
    found = availability.image
    return current if current and order(version(current)) > order(version(found)) else found


def exact_spec(
    desired: ScaleSet, model: Model, availability: Availability | None
) -> ScaleSet | Decision | None:
    """The spec with its exact image, and with `health.timeout` extended.

    For latest, the exact image is the newest version. The timeout is extended by the time for which Azure
    itself may delay an upgrade. Returns a Decision if there is no exact image, or None if the catalogue has
    not been read yet.

    timeout 10m, a notice of 15m before the OS disk is replaced, a grace period of 10m: 35m
    """
    if follows_latest(desired.image) and availability is None:
        return None
    found = desired.image if availability is None else _exact(desired.image, model, availability)
    if isinstance(found, Decision):
        return found
    # Azure waits for its notice to pass ("PT15M") before it replaces the OS disk, and health is Initializing
    # during a grace period.
    timeout = desired.health.timeout + model.os_image_notice + model.health_grace
    return replace(desired, image=found, health=replace(desired.health, timeout=timeout))


def _exact(image: Image, model: Model, availability: Availability) -> Image | Decision:
    return newest_version(image, model, availability) if follows_latest(image) else image


def exact_if_known(desired: ScaleSet, observed: Observed) -> ScaleSet:
    """The spec with its exact image, or the declared one if the exact image is unknown."""
    if not isinstance(observed.model, Model):
        return desired
    found = exact_spec(desired, observed.model, observed.availability)
    return found if isinstance(found, ScaleSet) else desired


def too_many_models(desired: Image, instances: Iterable[Instance]) -> Decision | None:
    """The decision not to set the model because Azure's limit on models in use has been reached, or None.

    Only images are counted. If there are more models than images, Azure itself might refuse the change.
    """
    in_use = {str(each.image).casefold(): each.image for each in instances if each.image is not None}
    others = [image for image in in_use.values() if not same(image, desired)]
    if len(others) < _MOST_MODELS:
        return None
    oldest = min(others, key=lambda image: (order(version(image)), str(image)))
    return Decision(
        Reason.TOO_MANY_MODELS,
        f"the instances already run {len(others)} different images, and Azure allows only {_MOST_MODELS}; "
        f"upgrade the instances on the oldest image ({short(oldest)}) with `az vmss update-instances`",
    )
