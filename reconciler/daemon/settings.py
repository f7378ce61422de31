"""How the daemon is set up. Each setting is an option of `reconciler run` and a VMSS_RECONCILER_ variable."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Settings:
    """The times and limits of the loop."""

    sweep: timedelta = timedelta(minutes=1)
    requeue_after: timedelta = timedelta(seconds=15)
    source_max_age: timedelta = timedelta(hours=1)
    workers: int = 16  # ticks wait on the network; a few slow scale sets must not fill them all
