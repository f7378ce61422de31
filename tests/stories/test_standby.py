"""Several daemons of which one leads, by a script: the others write nothing, and whoever begins to lead looks afresh."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from azure.core.credentials import AccessToken

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.daemon import report
from reconciler.daemon.leadership import Leader
from reconciler.daemon.reconciler import Reconciler
from reconciler.rollout.observed import Instance, Model
from reconciler.rollout.pause import Pause
from reconciler.rollout.step import Step, Upgrade
from reconciler.spec.scale_set import Target
from reconciler.web import metrics
from tests.messages import says
from tests.stories.world import NEW, World, fleet, scale_set, spec

MINUTE = timedelta(minutes=1)
TIMEOUT = timedelta(seconds=12)
CANARY = {"canary": {"instances": 1}}


@dataclass
class Turns:
    """Who leads from which moment on, the same for all replicas. 0 is nobody."""

    world: World
    turns: list[tuple[datetime, int]] = field(default_factory=list)

    def add(self, after: timedelta, who: int) -> None:
        self.turns.append((self.world.clock.now() + after, who))

    def number_at(self, at: datetime) -> int:
        """The number of the turn at this moment, from 1 on."""
        return sum(begins <= at for begins, _ in self.turns)

    def who_at(self, at: datetime) -> int:
        number = self.number_at(at)
        return self.turns[number - 1][1] if number else 0


@dataclass
class Lead:
    """What one replica knows of the turns."""

    turns: Turns
    me: int
    is_shared: ClassVar[bool] = True
    write_timeout: ClassVar[timedelta | None] = TIMEOUT
    lease_age: ClassVar[timedelta | None] = timedelta(seconds=3)

    @property
    def term(self) -> int:
        now = self.turns.world.clock.now()
        return self.turns.number_at(now) if self.turns.who_at(now) == self.me else 0

    def permits_write(self, timeout: timedelta, term: int | None) -> bool:
        now = self.turns.world.clock.now()
        return (
            self.term > 0
            and self.term == term
            and self.turns.number_at(now) == self.turns.number_at(now + timeout)
        )

    @property
    def leader(self) -> Leader | None:
        who = self.turns.who_at(self.turns.world.clock.now())
        return Leader(f"replica-{who}", "10.0.0.7:8081", is_this=who == self.me) if who else None


def replicas(number: int, compute: type[Compute] = Compute) -> tuple[World, Turns]:
    """A world of so many replicas that roll out one scale set of ten."""
    world = World(fleet(scale_set(capacity=10)), spec(rollout=CANARY), compute=compute)
    turns = Turns(world)
    world.daemons.clear()
    for me in range(1, number + 1):
        world.join(timedelta(seconds=7 * me), Lead(turns, me))
    return world, turns


def writers(world: World) -> Sequence[tuple[datetime, int]]:
    """When which replica wrote."""
    numbers = {daemon.client: number for number, daemon in enumerate(world.daemons, 1)}
    return [(each.at, numbers[each.client]) for each in world.azure.record.requests if each.method != "GET"]


def operations_of(world: World, number: int) -> set[str]:
    client = world.daemons[number - 1].client
    return {each.operation for each in world.azure.record.requests if each.client == client}


def run_for(world: World, length: timedelta) -> None:
    end = world.clock.now() + length
    while world.clock.now() < end:
        world.step()


def test_a_standby_lists_the_fleet_and_reads_and_writes_nothing_else() -> None:
    world, turns = replicas(2)
    turns.add(timedelta(), 1)
    world.run(lambda: world.daemons[0].is_settled)
    assert operations_of(world, 2) == {"VirtualMachineScaleSets_ListAll"}
    assert {who for _, who in writers(world)} == {1}


def test_a_standby_publishes_who_leads_and_no_status() -> None:
    world, turns = replicas(2)
    turns.add(timedelta(), 1)
    run_for(world, 3 * MINUTE)
    shown = report.store(world.daemons[1].reconciler.store)
    assert shown["replica"]["message"] == "this replica is on standby: replica-1 leads"
    assert [(row["status"], row["shortModelImage"]) for row in shown["scaleSets"]] == [(None, NEW)]
    text = metrics.exposition(world.daemons[1].reconciler.store, world.clock.now()).decode()
    assert "vmss_reconciler_leader 0.0" in text
    assert "vmss_reconciler_last_observed" not in text
    text = metrics.exposition(world.daemons[0].reconciler.store, world.clock.now()).decode()
    assert "vmss_reconciler_leader 1.0" in text
    assert "vmss_reconciler_last_observed" in text


@pytest.mark.parametrize("seconds", [95, 130, 200])
def test_the_lead_goes_round_and_the_rollout_goes_on(seconds: int) -> None:
    world, turns = replicas(3)
    length = timedelta(seconds=seconds)
    for turn in range(400):
        turns.add(turn * length, turn % 3 + 1)
    world.run(
        lambda: set(world.azure.record.images("web").values()) == {f"Canonical:ubuntu-24_04-lts:server:{NEW}"}
    )
    assert {who for _, who in writers(world)} == {1, 2, 3}
    for at, who in writers(world):
        assert turns.who_at(at) == who
        assert turns.number_at(at) == turns.number_at(at + TIMEOUT)
    assert world.azure.record.max_unavailable_domains("web") == 1


class Slow(Compute):
    """A client whose lists of instances take long, as often as `slow` says."""

    slow: ClassVar[list[timedelta]] = []
    world: ClassVar[World]

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        found = super().instances(target, model, priority)
        if self.slow:
            self.world.clock.advance(self.slow.pop())
        return found


@pytest.mark.parametrize(
    "turns_of",
    [
        pytest.param([2], id="another replica leads by then"),
        pytest.param([0], id="nobody leads by then"),
        pytest.param([2, 1], id="another one has led in between"),
    ],
)
def test_what_was_observed_before_the_lead_ended_is_not_written(turns_of: list[int]) -> None:
    world, turns = replicas(2, compute=Slow)
    Slow.world, Slow.slow = world, [timedelta(seconds=50)]
    turns.add(timedelta(), 1)
    for number, who in enumerate(turns_of):
        turns.add(timedelta(seconds=20 + 20 * number), who)
    world.daemons[0].step()  # its observation takes 50 seconds
    assert world.clock.now() > turns.turns[-1][0]
    assert writers(world) == []
    shown = report.store(world.daemons[0].reconciler.store)
    assert [row["status"] for row in shown["scaleSets"]] == [None]
    turns.add(timedelta(), 1)
    world.run(lambda: len(writers(world)) > 0, limit=5 * MINUTE)


class Hanging(Compute):
    """A client whose token for one upgrade takes long. `meanwhile` is what happens until then."""

    meanwhile: ClassVar[list[Callable[[], None]]] = []

    def __init__(self, session: Session) -> None:
        session.credential = self  # before the first request
        self._is_upgrade = False
        super().__init__(session)

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        if self._is_upgrade and self.meanwhile:
            self.meanwhile.pop()()
        return AccessToken("in-process", 0)  # it has expired at the next request

    def take(self, target: Target, step: Step, *, term: int | None = None) -> str:
        self._is_upgrade = isinstance(step, Upgrade)
        try:
            return super().take(target, step, term=term)
        finally:
            self._is_upgrade = False


def upgrades(world: World) -> Sequence[int]:
    """Which replica upgraded, in order."""
    sent = [each for each in world.azure.record.requests if each.operation.endswith("UpdateInstances")]
    numbers = {daemon.client: number for number, daemon in enumerate(world.daemons, 1)}
    return [numbers[each.client] for each in sent]


def test_an_upgrade_whose_token_hangs_through_the_lead_of_another_replica_is_not_sent() -> None:
    world, turns = replicas(2, compute=Hanging)

    def lose_and_win() -> None:
        for who in (2, 1):
            turns.add(timedelta(), who)
            world.clock.advance(timedelta(seconds=30))

    Hanging.meanwhile = [lose_and_win]
    turns.add(timedelta(), 1)
    world.run(lambda: not Hanging.meanwhile, limit=10 * MINUTE)
    assert turns.who_at(world.clock.now()) == 1
    assert upgrades(world) == []
    world.run(lambda: len(upgrades(world)) > 0, limit=5 * MINUTE)


def test_a_write_that_may_outlast_the_lead_is_not_sent_and_follows_later() -> None:
    world, turns = replicas(1)
    turns.add(timedelta(), 1)
    turns.add(timedelta(seconds=15), 1)  # to begin a term counts as the end of the one before
    world.clock.advance(timedelta(seconds=5))
    world.daemons[0].step()
    assert writers(world) == []
    assert [str(outcome.reason) for outcome in world.outcomes] == ["NotLeading"]
    assert world.outcomes[0].line == says("NotLeading", "nothing was sent")
    world.run(lambda: len(writers(world)) > 0, limit=5 * MINUTE)


def test_a_new_lead_rests_on_nothing_of_an_earlier_one_even_before_its_first_sweep() -> None:
    world, turns = replicas(1)
    turns.add(timedelta(), 1)
    for _ in range(3):
        world.step()
    reconciler = world.daemons[0].reconciler
    (key,) = (state.key for state in reconciler.store.states())
    turns.add(timedelta(), 1)  # another one led in between, for a moment
    assert reconciler.reconcile(key) is None
    reconciler.sweep()
    assert reconciler.reconcile(key) is not None


def test_a_pause_that_only_a_former_lead_was_told_of_ends_with_it() -> None:
    world, turns = replicas(1)
    turns.add(timedelta(), 1)
    for _ in range(3):
        world.step()
    reconciler = world.daemons[0].reconciler
    reconciler.tell_pause(Pause("checkout is down", "ada"))
    reconciler.sweep()
    assert is_paused(reconciler)
    turns.add(timedelta(), 1)
    reconciler.sweep()
    assert not is_paused(reconciler)


def is_paused(reconciler: Reconciler) -> bool:
    """Whether the fleet was paused at the last sweep."""
    sweep = reconciler.store.last_sweep
    return sweep is not None and sweep.fleet_pause.pause is not None
