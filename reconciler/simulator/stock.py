"""The images of a fleet file: which images exist, in which regions, and with which properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator.catalogue import Catalogue, kind_of_name
from reconciler.simulator.declared import InvalidField, Location

PLATFORM = ("publisher", "offer", "sku", "version")
GALLERIES = ("gallery", "shared", "community")


def publish(images: Mapping[str, Any], catalogue: Catalogue) -> None:
    for sku in images.get("platform", ()):
        for version in sku["versions"]:
            catalogue.publish(_platform({**sku, "version": version}))
    for name in (*images.get("ids", ()), *images.get("vhds", ())):
        catalogue.publish(image_name(name))
    for bad in images.get("bad", ()):
        catalogue.publish(image_name(bad["image"]), boots=bad["boots"])
    for number, details in enumerate(images.get("details", ())):
        publish_details(details, catalogue, ("images", "details", number))


def publish_details(details: Mapping[str, Any], catalogue: Catalogue, location: Location) -> None:
    """Publish an image or update its properties. Omitted properties keep their values.

    Raises InvalidField if a property cannot apply to the image.
    """
    name = image_name(details["image"])
    kind = kind_of_name(name)
    if "excludeFromLatest" in details and kind not in GALLERIES:
        raise InvalidField(
            (*location, "excludeFromLatest"),
            f"applies only to a version in a gallery, unlike {name}: remove this field",
        )
    if "deprecation" in details and kind != "platform":
        raise InvalidField(
            (*location, "deprecation"), f"applies only to a platform image, unlike {name}: remove this field"
        )
    catalogue.publish(
        name,
        boots=details.get("boots"),
        regions=details.get("regions"),
        replicating=details.get("replicating"),
        deprecation=details.get("deprecation"),
        exclude_from_latest=details.get("excludeFromLatest"),
        generation=details.get("hyperVGeneration"),
        architecture=details.get("architecture"),
        disk_size_gb=details.get("diskSizeGB"),
        security_type=_security_type(details),
        plan=details.get("plan"),
    )


def _security_type(details: Mapping[str, Any]) -> Any:
    """Return the declared security type, or else the default for the declared generation.

    Returns None if neither is declared. The default then depends on the name of the image.
    """
    usual = {"V1": "Standard", "V2": "TrustedLaunchSupported"}
    return details.get("securityType", usual.get(str(details.get("hyperVGeneration"))))


def image_name(value: str | Mapping[str, Any]) -> str:
    """Return the name of an image, whichever form the fleet file uses."""
    if isinstance(value, str):
        return value
    return _platform(value["platform"]) if "platform" in value else str(value.get("id", value.get("vhd")))


def _platform(fields: Mapping[str, str]) -> str:
    return ":".join(fields[name] for name in PLATFORM)


def is_open(image: str) -> bool:
    """Whether the name of the image leaves its version open."""
    is_definition = "/galleries/" in image.lower() and "/versions/" not in image.lower()
    return is_definition or image.lower().endswith(":latest")
