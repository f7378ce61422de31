"""What a fleet file says of images: which there are, and where, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator.catalogue import kind_of_name
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import (
    CHOICES,
    FIELDS,
    FleetError,
    choice,
    known,
    once,
    one_of,
    plan,
    rows,
    whole,
    yes,
)


def publish(images: Mapping[str, Any], cloud: Cloud) -> None:
    for number, entry in enumerate(rows(images.get("platform"), "images.platform")):
        place = f"images.platform[{number}]"
        sku = known(entry, "platform", place)
        if missing := [name for name in FIELDS["platform"] if name not in sku]:
            raise FleetError(
                f"{place}: has no {missing[0]}; a platform image needs publisher, offer, sku and versions"
            )
        for version in rows(sku["versions"], f"{place}.versions"):
            cloud.catalogue.publish(_platform({**sku, "version": version}, place))
    for kind in ("ids", "vhds"):
        for number, name in enumerate(rows(images.get(kind), f"images.{kind}")):
            cloud.catalogue.publish(image_name(name, f"images.{kind}[{number}]"))
    for number, entry in enumerate(rows(images.get("bad"), "images.bad")):
        place = f"images.bad[{number}]"
        bad = known(entry, "bad", place)
        name = image_name(bad.get("image"), f"{place}.image")
        cloud.catalogue.publish(name, boots=choice(bad, "boots", "unhealthy", place))  # type: ignore[arg-type]
    for number, entry in enumerate(rows(images.get("details"), "images.details")):
        _publish_details(
            known(entry, "details", f"images.details[{number}]"), cloud, f"images.details[{number}]"
        )


def _publish_details(details: Mapping[str, Any], cloud: Cloud, place: str) -> None:
    name = image_name(details.get("image"), f"{place}.image")
    kind = kind_of_name(name)
    if "excludeFromLatest" in details and kind not in ("gallery", "shared", "community"):
        raise FleetError(f"{place}.excludeFromLatest: {name} is not a version in a gallery; leave it out")
    if "deprecation" in details and kind != "platform":
        raise FleetError(f"{place}.deprecation: {name} is not a platform image; leave it out")
    cloud.catalogue.publish(
        name,
        regions=_regions(details, "regions", place) if "regions" in details else None,
        replicating=_regions(details, "replicating", place),
        deprecation=choice(details, "deprecation", "Active", place),  # type: ignore[arg-type]
        exclude_from_latest=yes(details.get("excludeFromLatest", False), f"{place}.excludeFromLatest"),
        generation=choice(details, "hyperVGeneration", "V2", place),
        architecture=choice(details, "architecture", "x64", place),
        disk_size_gb=whole(details.get("diskSizeGB", 30), f"{place}.diskSizeGB", at_least=1),
        security_type=_security_type(details, place),
        plan=plan(details["plan"], f"{place}.plan") if "plan" in details else None,
    )


def _security_type(details: Mapping[str, Any], place: str) -> str:
    """Trusted launch needs generation 2."""
    usual = "Standard" if details.get("hyperVGeneration") == "V1" else "TrustedLaunchSupported"
    return one_of(details.get("securityType", usual), CHOICES["imageSecurityType"], f"{place}.securityType")


def _regions(details: Mapping[str, Any], name: str, place: str) -> list[str]:
    return once(rows(details.get(name), f"{place}.{name}"), f"{place}.{name}")


def image_name(value: Any, place: str) -> str:
    """The name of an image, from any of the ways to write one."""
    if isinstance(value, str):
        if kind_of_name(value) == "platform" and (value.count(":") != 3 or not all(value.split(":"))):
            raise FleetError(f"{place}: {value!r} is not an image; write publisher:offer:sku:version")
        return value
    if not isinstance(value, Mapping):
        raise FleetError(
            f"{place}: no image; write {{platform: ...}}, {{id: ...}}, {{vhd: ...}} or the image's name"
        )
    chosen = known(value, "image", place)
    if "platform" in chosen:
        fields = known(chosen["platform"], "platformImage", f"{place}.platform")
        if missing := [name for name in FIELDS["platformImage"] if name not in fields]:
            raise FleetError(
                f"{place}.platform: has no {missing[0]}; it needs publisher, offer, sku and version"
            )
        return _platform(fields, f"{place}.platform")
    name = chosen.get("id", chosen.get("vhd"))
    if not isinstance(name, str) or kind_of_name(name) == "platform":
        raise FleetError(f"{place}: {name!r} is not an image; write the id of one, or the address of a VHD")
    return name


def _platform(fields: Mapping[str, Any], place: str) -> str:
    for name in FIELDS["platformImage"]:
        value = fields[name]
        if not isinstance(value, str) or not value or ":" in value:
            # 1.10 without quotes is the number 1.1.
            mend = (
                "write it in quotes" if isinstance(value, int | float) else "write it as text without colons"
            )
            raise FleetError(f"{place}: {value!r} is not the {name} of an image; {mend}")
    return ":".join(fields[name] for name in FIELDS["platformImage"])


def is_open(image: str) -> bool:
    """Whether the name leaves the version to be found, so that it publishes nothing by itself."""
    is_definition = "/galleries/" in image.lower() and "/versions/" not in image.lower()
    return is_definition or image.lower().endswith(":latest")
