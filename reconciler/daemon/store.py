"""The current state of every scale set, for the loop, the status page, the metrics and the table.

The store exists only in memory, because no action depends on it. States are frozen and replaced as a whole,
so reading one needs no lock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from reconciler.azure.clock import steady
from reconciler.azure.failure import AzureFailure, TooManyRequests
from reconciler.azure.request_counter import RequestCounter
from reconciler.daemon.advance import advance
from reconciler.daemon.event import Event, SlotAcquired, SpecRead
from reconciler.daemon.in_force import InForce, RefusedCommit
from reconciler.daemon.leadership import Alone, Leadership
from reconciler.daemon.listing import scope_of
from reconciler.daemon.orphan import Orphan
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.rollout.gate import Gate
from reconciler.rollout.pause import NOT_PAUSED, FleetPause
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shard import Shard


@dataclass(frozen=True, slots=True)
class Sweep:
    """The last sweep: when it began, the active specs, and the errors that concern no single scale set.

    `spec_errors` has the errors in the specs, and why their source is unreachable. `lists` has the requested
    lists, by resource group or by subscription, each with its failure, or None if it succeeded. `is_partial`
    means that the commit has errors, and only the rest of it is active. `source_read_at` is when the source
    was last read, with or without errors, or None if this process has never read it. `shard` is the part of
    the fleet that is declared here, or None if that is the whole fleet. `total` is the number of scale sets
    in all shards.
    """

    at: datetime
    commit: str
    subject: str
    spec_errors: tuple[str, ...] = ()
    lists: Mapping[str, AzureFailure | None] = field(default_factory=dict)
    by_group: bool = False
    refused: RefusedCommit | None = None
    warnings: tuple[str, ...] = ()
    stale_since: datetime | None = None
    fleet_pause: FleetPause = NOT_PAUSED
    is_partial: bool = False
    source_read_at: datetime | None = None
    orphans: tuple[Orphan, ...] = ()
    author: str = ""
    shard: Shard | None = None
    total: int = 0

    @property
    def errors(self) -> tuple[str, ...]:
        """All errors, one line each."""
        failed = (f"{scope}: {failure}" for scope, failure in self.lists.items() if failure)
        return (*self.spec_errors, *failed)

    @property
    def throttled_lists(self) -> frozenset[str]:
        return frozenset(
            scope for scope, failure in self.lists.items() if isinstance(failure, TooManyRequests)
        )

    def scope(self, desired: ScaleSet) -> str:
        """The name of the list that contains this scale set."""
        return str(scope_of(desired.target, by_group=self.by_group))


_KEPT_COMMITS = 200


@dataclass(frozen=True, slots=True)
class CommitNote:
    """A commit that was active. `at` is when a sweep first found it active."""

    commit: str
    subject: str
    author: str
    at: datetime


@dataclass(slots=True)
class Store:
    """Every state, the last sweep, the number of requests to Azure, and who leads.

    `version` grows with every change. `commits` has the most recently active commits, by id. `swept_at` is
    when the last sweep ended, according to `now`. This clock never jumps, unlike Azure's, which jumps at the
    first response.
    """

    last_sweep: Sweep | None = None
    version: int = 0
    commits: dict[str, CommitNote] = field(default_factory=dict)
    requests: RequestCounter = field(default_factory=RequestCounter)
    leadership: Leadership = field(default_factory=Alone)
    now: Callable[[], datetime] = field(default_factory=steady)
    swept_at: datetime | None = None
    _states: ScaleSetStates = field(default_factory=lambda: ScaleSetStates.of(()))
    _lock: Lock = field(default_factory=Lock)

    def end_sweep(self, sweep: Sweep) -> None:
        """Record a sweep whose specs have already been passed to `declare`."""
        known = self.commits.get(sweep.commit)
        note = known or CommitNote(sweep.commit, sweep.subject, sweep.author, sweep.at)
        kept = list(self.commits.values())[-_KEPT_COMMITS:]
        with self._lock:
            self.commits = {each.commit: each for each in kept} | {sweep.commit: note}
            self.last_sweep, self.swept_at = sweep, self.now()
            self.version += 1

    def states(self) -> ScaleSetStates:
        """All states, sorted by name."""
        return self._states

    @property
    def is_as_declared(self) -> bool:
        """Whether every scale set was Ready or Suspended at its last reconcile."""
        return all(state.is_as_declared for state in self.states())

    def get(self, key: str) -> ScaleSetState | None:
        return self._states.get(key)

    def declare(
        self,
        in_force: Iterable[InForce],
        at: datetime | None = None,
        *,
        stale_since: datetime | None = None,
        fleet_pause: FleetPause = NOT_PAUSED,
        afresh: bool = False,
    ) -> tuple[str, ...]:
        """Apply the specs declared at `at`. Returns the names of the scale sets whose specs were removed.

        If the source has been unreadable for too long, `stale_since` is when that began. `fleet_pause` is the
        pause as of `at`. `afresh` forgets everything else known about each scale set, as a restart does.
        """
        wanted = {each.key: each for each in in_force}
        with self._lock:
            self.version += 1
            gone = [state for state in self._states if state.key not in wanted]
            removed = frozenset(failure for state in gone for failure in state.failures)
            after = []
            for key, each in wanted.items():
                known = None if afresh else self._states.get(key)
                known = known or ScaleSetState(each.desired, each.commit, declared_at=at)
                read = SpecRead(
                    each.desired,
                    each.commit,
                    removed,
                    each.origin,
                    each.behind,
                    each.is_newer,
                    stale_since,
                    fleet_pause,
                )
                after.append(advance(known, read))
            self._states = ScaleSetStates.of(after)
            return tuple(sorted(state.desired.name for state in gone))

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        """The orphans as of the last sweep, by name."""
        return self.last_sweep.orphans if self.last_sweep else ()

    def apply(self, key: str, event: Event) -> ScaleSetState | None:
        """Advance one state and return it, or return None if the scale set is no longer declared."""
        with self._lock:
            before = self._states.get(key)
            if before is None:
                return None
            after = advance(before, event)
            if after is not before:
                self._states = self._states.with_state(after)
                self.version += 1
            return after

    def apply_each(self, events: Mapping[str, Event]) -> None:
        """Advance many states in one transaction, each by the event for its key.

        Keys that are no longer declared are ignored.
        """
        with self._lock:
            known = {key: self._states.get(key) for key in events}
            advanced = {key: advance(before, events[key]) for key, before in known.items() if before}
            changed = {key: after for key, after in advanced.items() if after is not known[key]}
            self._states = self._states.with_states(changed)
            self.version += len(changed)

    def acquire(self, key: str, evaluate: Callable[[ScaleSetState, Sequence[ScaleSetState]], Gate]) -> Gate:
        """Evaluate the gate of this scale set and, if the gate is open, acquire a slot, in one transaction.

        Raises KeyError if the scale set is no longer declared.
        """
        with self._lock:
            state = self._states.get(key)
            if state is None:
                raise KeyError(key)
            gate = evaluate(state, self._states)
            if gate.closed is None:
                self._states = self._states.with_state(advance(state, SlotAcquired()))
                self.version += 1
            return gate
