"""The times of an election."""

from dataclasses import dataclass
from datetime import timedelta

SHORTEST_WRITE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a Lease lasts for others, how long its holder acts without a renewal, and how often it is
    asked for.

    The holder stops at the renew deadline, and the others wait for the duration. The difference is what two
    clocks may differ by, as they measure the same time.
    """

    duration: timedelta = timedelta(seconds=35)
    renew_deadline: timedelta = timedelta(seconds=30)
    retry_period: timedelta = timedelta(seconds=5)

    @property
    def call_timeout(self) -> timedelta:
        """The longest that a call to Kubernetes may connect, and the longest that it may wait for an answer.

        Both together take less than half of the renew deadline, so that a call that hangs leaves time for a
        second one.
        """
        return self.renew_deadline / 5

    @property
    def write_timeout(self) -> timedelta:
        """The longest that a write to Azure may take.

        Half of what is left of the Lease when its renewal is due: even after a renewal that comes late,
        a write may still be sent.
        """
        return (self.renew_deadline - self.retry_period) / 2

    @property
    def error(self) -> str:
        """Why an election cannot have these times, "" if it can."""
        if self.duration <= self.renew_deadline:
            return "the lease duration must be longer than the renew deadline"
        if self.duration % timedelta(seconds=1):
            return "the lease duration must be a whole number of seconds, as in Kubernetes"
        if self.retry_period <= timedelta():
            return "the retry period must be longer than zero"
        if self.write_timeout < SHORTEST_WRITE:
            return "the renew deadline must be at least 2s longer than the retry period"
        return ""
