"""Whether this process may act: alone, or as one of several replicas that elect a leader."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.rollout.wording import moment

RELAYED = "X-Reconciler-Relayed"
"""The header of a webhook that a standby has passed on to the leader."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The replica that leads. `address` is where others reach it, "" if unknown. `since` is by its clock."""

    name: str
    address: str = ""
    since: datetime | None = None
    is_this: bool = False

    def __str__(self) -> str:
        """Who leads, as a clause."""
        since = f" since {moment(self.since)}" if self.since else ""
        return f"{self.name} leads{since}"


class Leadership(Protocol):
    """What the daemon asks before it acts. Each answer is immediate."""

    @property
    def is_shared(self) -> bool:
        """Whether there are other replicas that may lead."""
        ...

    @property
    def term(self) -> int:
        """The number of the time in which this replica acts without interruption, 0 while it stands by.

        A new term rests on nothing that was observed before it.
        """
        ...

    def permits_write(self, timeout: timedelta, term: int | None) -> bool:
        """Whether this term goes on for longer than `timeout` from now, whatever happens."""
        ...

    @property
    def write_timeout(self) -> timedelta | None:
        """The longest that a write to Azure may take, None if there is no limit."""
        ...

    @property
    def leader(self) -> Leader | None:
        """Who leads, as far as is known. None if nobody does, or there is no election."""
        ...

    @property
    def lease_age(self) -> timedelta | None:
        """The time since the Lease was last renewed, as far as is known. None without an election."""
        ...


class Alone:
    """No other replica acts."""

    is_shared = False
    term = 1
    write_timeout: timedelta | None = None
    leader: Leader | None = None
    lease_age: timedelta | None = None

    def permits_write(self, _timeout: timedelta, _term: int | None) -> bool:
        """Always."""
        return True


def describe_standby(leadership: Leadership) -> str:
    """Why a replica stands by, as a clause: who leads instead."""
    leader = leadership.leader
    if leader is None:
        return "this replica stands by, and does not know who leads"
    if leader.is_this:
        return "this replica holds the Lease, and waits until it is certain that no other one still acts"
    return f"this replica stands by: {leader}"
