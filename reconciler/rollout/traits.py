"""What an image is made for: what must fit the scale set that is to run it."""

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
    """What the catalogue tells of one image; "" and None where it does not tell.

    `security_type` is the value of the feature "SecurityType", such as "TrustedLaunchSupported"; `disk_size`
    is that of the OS disk, in GB; `plan` is None too for an image without one.
    """

    generation: str = ""  # "V1" or "V2"
    architecture: str = ""  # "x64" or "Arm64"
    disk_size: int | None = None
    security_type: str = ""
    plan: Plan | None = None
