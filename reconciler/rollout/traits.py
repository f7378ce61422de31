"""The traits of an image that must be compatible with the scale set that runs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The purchase plan of a Marketplace image."""

    publisher: str
    product: str
    name: str

    def __str__(self) -> str:
        return f"{self.publisher}:{self.product}:{self.name}"


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of one image in the catalogue. "" and None mean unknown.

    `security_type` is the value of the feature "SecurityType", such as "TrustedLaunchSupported". `disk_size`
    is the size of the OS disk in GB. `plan` is also None for an image without a plan.
    """

    generation: str = ""  # "V1" or "V2"
    architecture: str = ""  # "x64" or "Arm64"
    disk_size: int | None = None
    security_type: str = ""
    plan: Plan | None = None
