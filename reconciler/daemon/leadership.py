"""Whether this process may act: alone, or as one of several replicas that elect a leader."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.rollout.wording import moment

RELAYED = "X-Reconciler-Relayed"
"""The header of a webhook that a standby has passed on to the leader."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The replica that leads.

    `address` is where other replicas reach it, or "" if unknown. `since` is when it began to lead, according
    to its own clock.
    """

    name: str
    address: str = ""
    since: datetime | None = None
    is_this: bool = False

    def __str__(self) -> str:
        """A clause that says who leads."""
        since = f" since {moment(self.since)}" if self.since else ""
        return f"{self.name} leads{since}"


class Leadership(Protocol):
    """Tells the daemon whether it may act. Each answer is immediate."""

    @property
    def is_shared(self) -> bool:
        """Whether other replicas may lead."""
        ...

    @property
    def term(self) -> int:
        """The number of the current term, or 0 while this replica is on standby.

        A term is a period during which this replica acts without interruption. A decision never relies on
        anything that was observed before its term.
        """
        ...

    def permits_write(self, timeout: timedelta, term: int | None) -> bool:
        """Whether this term is certain to last for longer than `timeout` from now."""
        ...

    @property
    def write_timeout(self) -> timedelta | None:
        """The maximum duration of a write to Azure, or None if there is no limit."""
        ...

    @property
    def leader(self) -> Leader | None:
        """The leader, as far as this replica knows, or None if there is no leader or no election."""
        ...

    @property
    def lease_age(self) -> timedelta | None:
        """The time since the last known renewal of the Lease, or None if there was none."""
        ...


class Alone:
    """The leadership of a process that has no other replicas, so that it always leads."""

    is_shared = False
    term = 1
    write_timeout: timedelta | None = None
    leader: Leader | None = None
    lease_age: timedelta | None = None

    def permits_write(self, _timeout: timedelta, _term: int | None) -> bool:
        return True


def describe_standby(leadership: Leadership) -> str:
    """A clause that says why a replica is on standby, and who leads."""
    leader = leadership.leader
    if leader is None:
        return "this replica is on standby, and does not know who leads"
    if leader.is_this:
        return "this replica holds the Lease, and waits until it is certain that no other one still acts"
    return f"this replica is on standby: {leader}"
