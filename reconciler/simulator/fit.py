"""Whether an image is compatible with a scale set: generation, architecture, disk size, security type, plan.

The name of a VM size shows what machines of that size can boot. A `p` among its features means an Arm64
processor, which boots only generation 2. Sizes from version 6 on also boot only generation 2. Sizes up to
version 3 without premium storage boot only generation 1. The error messages are those that users reported,
except the message for the wrong architecture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.catalogue import Architecture, Details
from reconciler.simulator.generations import Generation

SIZE = re.compile(
    r"(?:Standard|Basic)_(?P<family>[A-Z]+)\d+(?:-\d+)?(?P<features>[a-z]*)(?:_[A-Z]+\d+)?(?:_v(?P<version>\d+))?"
)
BOTH: tuple[Generation, ...] = ("V1", "V2")
TRUSTED = ("TrustedLaunch", "TrustedLaunchSupported")


def require_fit(details: Details, body: Mapping[str, Any], resource_id: str) -> None:
    """Raise Azure's error if a scale set with this body cannot use an image with these details."""
    profile = body["properties"]["virtualMachineProfile"]
    _require_size(details, str(body["sku"]["name"]))
    wanted = ((profile.get("storageProfile") or {}).get("osDisk") or {}).get("diskSizeGB")
    if wanted is not None and wanted < details.disk_size_gb:
        raise errors.disk_too_small(wanted, details.disk_size_gb)
    is_trusted = (profile.get("securityProfile") or {}).get("securityType") == "TrustedLaunch"
    if details.security_type == "TrustedLaunch" and not is_trusted:
        raise errors.only_with_trusted_launch()
    if is_trusted and details.security_type not in TRUSTED:
        raise errors.no_trusted_launch()
    if details.plan is not None and body.get("plan") != details.plan:
        raise errors.needs_plan(resource_id)


def _require_size(details: Details, size: str) -> None:
    if details.architecture != (fitting := architecture_of(size)):
        raise errors.wrong_architecture(size, fitting, details.architecture)
    if details.generation not in generations_of(size):
        raise errors.cannot_boot(size, details.generation)


def architecture_of(size: str) -> Architecture:
    """Return the processor architecture of this VM size.

    >>> architecture_of("Standard_D2ps_v5"), architecture_of("Standard_D2s_v5")
    ('Arm64', 'x64')
    """
    match = SIZE.fullmatch(size)
    return "Arm64" if match is not None and "p" in match["features"] else "x64"


def generations_of(size: str) -> tuple[Generation, ...]:
    """Return the generations that machines of this VM size can boot, or both for an unknown size.

    >>> [generations_of(f"Standard_{size}") for size in ("D2_v3", "D2s_v3", "D2ps_v5", "D2s_v6")]
    [('V1',), ('V1', 'V2'), ('V2',), ('V2',)]
    """
    match = SIZE.fullmatch(size)
    if match is None:
        return BOTH
    version = int(match["version"] or 1)
    if "p" in match["features"] or version >= 6:
        return ("V2",)
    has_premium_storage = "s" in match["features"] or match["family"].endswith("S")
    return BOTH if has_premium_storage or version > 3 else ("V1",)
