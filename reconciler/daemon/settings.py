"""The settings of the daemon. `reconciler run` has options for the times, with VMSS_RECONCILER_ variables."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Settings:
    """The times and limits of the loop."""

    sweep: timedelta = timedelta(minutes=1)
    requeue_after: timedelta = timedelta(seconds=15)
    source_max_age: timedelta = timedelta(hours=1)
    workers: int = 16  # reconciles wait on the network; a few slow scale sets must not occupy all workers
