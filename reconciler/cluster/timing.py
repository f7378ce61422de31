"""The times of an election."""

from dataclasses import dataclass
from datetime import timedelta

SHORTEST_WRITE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a Lease lasts, and how often it is renewed.

    Without a renewal, the holder stops acting after `renew_deadline`, and other candidates wait for
    `duration`. The difference allows for clocks that run at different speeds. `retry_period` is the time
    between calls.
    """

    duration: timedelta = timedelta(seconds=35)
    renew_deadline: timedelta = timedelta(seconds=30)
    retry_period: timedelta = timedelta(seconds=5)

    @property
    def call_timeout(self) -> timedelta:
        """The maximum time for a call to Kubernetes to connect, and again for the answer to arrive.

        Both times together are less than half of the renew deadline, so a call that hangs leaves time for
        another.
        """
        return self.renew_deadline / 5

    @property
    def write_timeout(self) -> timedelta:
        """The maximum duration of a write to Azure.

        This is half of the time from a due renewal to the renew deadline, which leaves room for a write even
        if the renewal comes late.
        """
        return (self.renew_deadline - self.retry_period) / 2

    @property
    def error(self) -> str:
        """The error if an election cannot work with these times, otherwise ""."""
        if self.duration <= self.renew_deadline:
            return "the lease duration must be longer than the renew deadline"
        if self.duration % timedelta(seconds=1):
            return "the lease duration must be a whole number of seconds, as in Kubernetes"
        if self.retry_period <= timedelta():
            return "the retry period must be longer than zero"
        if self.write_timeout < SHORTEST_WRITE:
            return "the renew deadline must be at least 2s longer than the retry period"
        return ""
