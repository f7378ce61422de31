"""The generation and the operating system of an image, as far as its name reveals them.

Publishers that still have generation 1 images mark their generation 2 images: `2022-datacenter-g2`,
`18_04-lts-gen2`. Newer publishers have only generation 2 images.
"""

from __future__ import annotations

import re
from typing import Literal

Generation = Literal["V1", "V2"]

# Managed images and VHDs are of generation 1 by default; images in galleries are of generation 2.
MADE_OF_A_DISK = re.compile(r"/providers/Microsoft\.Compute/images/|^https?://", re.I)
SECOND = re.compile(r"gen2|[-_]g2\b|arm64|azure-edition", re.I)
# Since Ubuntu 23.10 the plain SKU is of generation 2, and the SKU of generation 1 is marked.
SINCE_UBUNTU_23_10 = re.compile(r"canonical:ubuntu-(23_10|2[4-9]_)", re.I)
FIRST_UNLESS_NAMED = frozenset(
    {
        "canonical", "coreos", "credativ", "debian", "microsoftwindowsdesktop", "microsoftwindowsserver",
        "openlogic", "oracle", "redhat", "suse",
    }
)  # fmt: skip


def generation_of(name: str) -> Generation:
    """Return the generation of the image with this name.

    >>> generation_of("Canonical:UbuntuServer:18.04-LTS:18.04.202401161")
    'V1'
    >>> generation_of("Canonical:ubuntu-24_04-lts:server:24.04.202601010")
    'V2'
    >>> generation_of("MicrosoftWindowsServer:WindowsServer:2022-datacenter-g2:20348.2655.240810")
    'V2'
    """
    if MADE_OF_A_DISK.search(name):
        return "V1"
    publisher, _, rest = name.partition(":")
    if SECOND.search(rest):
        return "V2"
    if SINCE_UBUNTU_23_10.match(name):
        return "V1" if "gen1" in rest.lower() else "V2"
    return "V1" if publisher.lower() in FIRST_UNLESS_NAMED else "V2"


def system_of(name: str) -> Literal["Linux", "Windows"]:
    """Return the operating system of the image with this name.

    >>> system_of("MicrosoftWindowsServer:WindowsServer:2019-Datacenter:17763.8276.260109")
    'Windows'
    """
    return "Windows" if name.lower().startswith("microsoftwindows") else "Linux"
