"""The two names of an Azure region: `westeurope` in URLs, and `West Europe` for display.

Clients can write either name. Galleries return the display name.
"""

from __future__ import annotations

_PEOPLE = (
    "Australia East", "Austria East", "Brazil South", "Canada Central", "Canada East", "Central India",
    "Central US", "East Asia", "East US", "East US 2", "France Central", "Germany North",
    "Germany West Central", "Italy North", "Japan East", "Japan West", "Korea Central", "North Central US",
    "North Europe", "Norway East", "Poland Central", "South Africa North", "South Central US",
    "Southeast Asia", "Spain Central", "Sweden Central", "Switzerland North", "UAE North", "UK South",
    "UK West", "West Central US", "West Europe", "West US", "West US 2", "West US 3",
)  # fmt: skip


def region(name: str) -> str:
    """Return the name that URLs use for a region.

    >>> region("West Europe")
    'westeurope'
    """
    return name.replace(" ", "").lower()


DISPLAY = {region(name): name for name in _PEOPLE}


def display(name: str) -> str:
    """Return the display name of a region, or `name` itself if the region is not known.

    >>> display("westeurope"), display("moonbase")
    ('West Europe', 'moonbase')
    """
    return DISPLAY.get(region(name), name)
