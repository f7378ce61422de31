"""`reconciler upgrade` without a daemon that answers: under a claim, beside a daemon that it cannot see."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.failure import Unreachable
from reconciler.azure.session import Session
from reconciler.daemon.claim_keeper import ClaimKeeper, NotClaimed
from reconciler.daemon.claimed_upgrade import ClaimedUpgrade
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickRefused
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.claim import CLAIM, claim_in
from reconciler.rollout.pause import PAUSE
from reconciler.rollout.tags import STATE
from reconciler.simulator import Exchange, Status, Throttled, Timeout
from reconciler.simulator.faults import Fault
from reconciler.spec.scale_set import Target
from tests.messages import says
from tests.stories.fleets import is_there, on, reason
from tests.stories.watched import NotedSpecs
from tests.stories.world import BASE, NEW, OLD, World, fleet, of_all, scale_set, spec
from tests.token import Token

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
UPDATE = "VirtualMachineScaleSets_Update"
GET = "VirtualMachineScaleSets_Get"
UPGRADE = "VirtualMachineScaleSets_UpdateInstances"


class Killed(BaseException):
    """The process is gone, with whatever it would have done on its way out."""


class Unclean(ClaimKeeper):
    """The claim of a process that is killed."""

    def give_back(self, target: Target) -> None:
        pass


class ByHand:
    """A `reconciler upgrade` in a world, which believes that no daemon runs. The daemons go on while it sleeps."""

    def __init__(self, world: World, by: str = "ada", dies_after: int = -1) -> None:
        """`dies_after`: how many waits it survives."""
        self.world = world
        self.said: list[str] = []
        self.at_wait: dict[int, Callable[[], None]] = {}  # what happens at which of its waits
        self._count = 0
        self._waits = dies_after
        transport = world.azure.transport()
        self.client = transport.client
        session = Session(credential=Token(), transport=transport, now=world.clock.now)
        self.claim = ClaimKeeper(by) if dies_after < 0 else Unclean(by)
        session.fence(self.claim, "the claim")
        settings = Settings(sweep=world.sweep)
        self.azure = azure = world.compute(session)
        self.reconciler = Reconciler(
            NotedSpecs(world.source, world.now, lambda sets: world.note_specs(self.client, sets)),
            azure,
            settings,
            forecasts=False,
            finds_orphans=False,
            holder=self.claim.holder,
        )
        self.upgrade = ClaimedUpgrade(
            self.reconciler, azure, self.claim, settings, sleep=self._sleep, tell=self.said.append
        )

    def run(self, place: str = "", *ids: str) -> Any:
        self.reconciler.once(act=False)
        return self.upgrade.run(PickRequest("web", "ada", place, ids))

    def _sleep(self, seconds: float) -> None:
        if self._waits == 0:
            raise Killed
        self._waits -= 1
        self._count += 1
        self.at_wait.get(self._count, lambda: None)()
        end = self.world.clock.now() + timedelta(seconds=seconds)
        while self.world.daemons and min(each.due for each in self.world.daemons) < end:
            self.world.step()
        self.world.until(end)


def ten(**changes: Any) -> dict[str, Any]:
    return fleet(scale_set(capacity=10), **changes)


def alone(world: World) -> World:
    """The world without any daemon."""
    world.daemons.clear()
    return world


def with_model(world: World, version: str = NEW) -> World:
    """The world once a daemon has set the model, and before it has upgraded any instance."""
    web = world.azure.scale_set("web")
    web.set_image(f"{':'.join(BASE.values())}:{version}")
    while web.provisioning_state != "Succeeded":
        world.clock.advance(SECOND)
    return world


def upgrades(world: World) -> list[Exchange]:
    return [each for each in world.azure.record.requests if each.operation == UPGRADE]


def batches(world: World) -> list[str]:
    return ["".join(each.body["instanceIds"]) for each in upgrades(world)]


def tag(world: World) -> str:
    return world.azure.scale_set("web").tags.get(CLAIM, "")


def test_without_any_daemon_it_upgrades_the_picked_instances_and_no_others() -> None:
    world = alone(with_model(World(ten(), spec())))
    hand = ByHand(world)
    end = hand.run("update domain 3")
    assert (end.is_served, end.message) == (True, f"2 of 2 run {NEW}")
    assert batches(world) == ["38"]
    assert upgrades(world)[0].at - world.azure.record.requests[0].at >= MINUTE, (
        "a daemon may have acted until then"
    )
    assert on(world, "web") == {OLD, NEW}
    assert tag(world) == ""


def test_a_daemon_that_it_cannot_see_waits_and_then_goes_on() -> None:
    world = World(ten(), spec(rollout={"soak": "3m"}))
    world.run(lambda: world.has_upgraded(1)).run(is_there(world, "Soaking"))
    hand = ByHand(world)
    assert hand.run("update domain 3").is_served
    assert [(each.client == hand.client, each.body["instanceIds"]) for each in upgrades(world)] == [
        (False, ["0", "5"]),
        (True, ["3", "8"]),
    ]
    assert "Claimed" in world.reasons()
    claimed = next(each for each in world.outcomes if each.reason == "Claimed")
    assert claimed.line == says("Claimed", "ada", "2026-01-05 09:13 UTC")
    world.run()
    assert batches(world) == ["05", "38", "16", "27", "49"]


@pytest.mark.parametrize("waits", [0, 1, 2, 6], ids="after {} waits".format)
def test_killed_in_the_middle_it_blocks_the_daemon_until_the_claim_ends(waits: int) -> None:
    world = World(ten(), spec())
    world.run(lambda: world.has_upgraded(1)).run(is_there(world, "WaitingForInstances"))
    hand = ByHand(world, dies_after=waits)
    with pytest.raises(Killed):
        hand.run("update domain 3")
    claim, killed_at = claim_in(world.azure.scale_set("web").tags), world.clock.now()
    assert claim is not None
    assert claim.is_live(killed_at, HOUR)
    asked = len(upgrades(world))
    world.run()
    later = [each for each in upgrades(world)[asked:] if each.client != hand.client]
    assert later
    assert claim.until <= later[0].at < claim.until + MINUTE, "it goes on as soon as the claim has ended"
    assert upgrades(world)[asked:] == later
    assert "Claimed" in world.reasons()
    assert on(world, "web") == {NEW}


def test_two_of_them_never_upgrade_one_scale_set() -> None:
    world = alone(with_model(World(ten(), spec())))
    first, second = ByHand(world, dies_after=0), ByHand(world, by="bob")
    with pytest.raises(Killed):
        first.run("update domain 3")
    with pytest.raises(PickRefused, match="Claimed: ada is running `reconciler upgrade`"):
        second.run("update domain 4")
    (state,) = second.reconciler.store.states()
    with pytest.raises(NotClaimed, match="another `reconciler upgrade` by ada has claimed it until"):
        second.claim.take(second.azure, state.desired.target, HOUR)
    assert batches(world) == []


def test_of_two_that_claim_at_once_the_etag_lets_one_pass() -> None:
    world = alone(with_model(World(ten(), spec())))
    hand = ByHand(world)
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update", Status(412, "PreconditionFailed", "Etag does not match.")
    )
    with pytest.raises(Exception, match="PreconditionFailed"):
        hand.run("update domain 3")
    assert batches(world) == []


def test_a_pick_that_takes_longer_than_the_claim_renews_it() -> None:
    world = with_model(World(ten(), spec(rollout={"maxBatch": 1, "soak": "20m"}, health={"timeout": "10m"})))
    hand = ByHand(world)
    assert hand.run("update domain 3").is_served
    assert batches(world) == ["3", "8"]
    assert [each.client == hand.client for each in upgrades(world)] == [True, True]
    assert tag(world) == ""


def test_a_closed_gate_holds_it_too_and_the_pick_lapses() -> None:
    window = {"kind": "allow", "schedule": "0 3 * * *", "duration": "1h", "timeZone": "UTC"}
    world = alone(with_model(World(ten(), spec(rollout={"windows": [window]}))))
    hand = ByHand(world)
    end = hand.run("update domain 3")
    assert not end.is_served
    assert end.message == "the rollout has made no progress for 10m: OutsideWindow"
    assert batches(world) == []
    assert tag(world) == ""


def test_an_expired_claim_is_removed_with_the_next_write_of_tags() -> None:
    world = World(ten(), spec())
    world.azure.scale_set("web").set_tags({CLAIM: "holder=1;by=ada;until=2026-01-05T08:59:00+00:00"})
    world.run()
    assert tag(world) == ""
    assert on(world, "web") == {NEW}


def test_the_time_of_azure_says_when_a_claim_ends() -> None:
    world = World(ten(), spec())
    world.azure.scale_set("web").set_tags({CLAIM: "holder=1;by=ada;until=2026-01-05T09:10:00+00:00"})
    world.jump(HOUR)
    world.rest(9 * MINUTE)
    assert (reason(world), batches(world)) == ("Claimed", [])
    world.run(lambda: world.has_upgraded(1))
    assert world.clock.now() < upgrades(world)[0].at + MINUTE


@pytest.mark.parametrize(
    ("canary", "message"),
    [
        pytest.param(
            ["0"],
            "instance 0 goes first and was not picked; pick it too, or run the daemon",
            id="a canary of one",
        ),
        pytest.param(
            ["0", "5"],
            "instances 0 and 5 go first and were not picked; pick them too, or run the daemon",
            id="a canary of two",
        ),
    ],
)
def test_if_others_go_first_it_ends_at_once_and_names_them(canary: list[str], message: str) -> None:
    world = alone(with_model(World(ten(), spec(rollout={"canary": {"instances": canary}}))))
    end = ByHand(world).run("update domain 3")
    assert (end.is_served, end.message) == (False, message)
    assert batches(world) == []
    assert tag(world) == ""
    assert world.clock.now() - world.azure.record.requests[0].at < 2 * MINUTE


@pytest.mark.parametrize(
    ("wait", "asked"),
    [
        pytest.param(1, [], id="before the first batch"),
        pytest.param(4, ["3"], id="after a batch"),
    ],
)
@pytest.mark.parametrize(
    "other",
    [
        pytest.param("", id="nobody has claimed it"),
        pytest.param("holder=2;by=bob;until=2026-01-05T09:20:00+00:00", id="another has claimed it"),
    ],
)
def test_once_its_claim_is_gone_it_upgrades_nothing_more(wait: int, asked: list[str], other: str) -> None:
    world = alone(with_model(World(ten(), spec(rollout={"maxBatch": 1}))))
    hand = ByHand(world)
    hand.at_wait[wait] = lambda: world.azure.scale_set("web").set_tags({CLAIM: other})
    end = hand.run("update domain 3")
    assert (end.is_served, end.message) == (
        False,
        "the claim is gone from the tag vmss-reconciler-claim, so a daemon may act; run the command again",
    )
    assert batches(world) == asked
    assert tag(world) == other


@pytest.mark.parametrize(
    ("is_declared_again", "message"),
    [
        pytest.param(False, "its spec was removed", id="for good"),
        pytest.param(True, "its spec was removed and declared again", id="then declared again"),
    ],
)
def test_a_spec_removed_in_the_middle_ends_it(is_declared_again: bool, message: str) -> None:
    web = spec(rollout={"maxBatch": 1, "soak": "20m"})
    world = alone(with_model(World(fleet(scale_set(capacity=10), scale_set("db")), web, spec("db", OLD))))
    hand = ByHand(world)

    def remove() -> None:
        world.unmerge("web")
        hand.reconciler.sweep()
        if is_declared_again:
            world.merge(spec(rollout={"maxBatch": 1, "soak": "20m"}))
            hand.reconciler.sweep()

    hand.at_wait[4] = remove
    with pytest.raises(NotClaimed, match=message):
        hand.run("update domain 3")
    assert batches(world) == ["3"]
    assert tag(world) == ""


def test_it_sets_no_model_even_if_its_specs_say_so() -> None:
    world = alone(World(ten(), spec()))
    message = f"the model is on {OLD}, and the spec declares {NEW}; merge the spec and let a daemon set it"
    with pytest.raises(NotClaimed, match=message):
        ByHand(world).run("update domain 3")
    assert UPDATE not in world.requests()


@pytest.mark.parametrize(
    ("changes", "tags", "message"),
    [
        pytest.param({}, {PAUSE: "incident"}, "Paused: ", id="paused"),
        pytest.param({"suspend": True}, {}, "Suspended: ", id="suspended"),
        pytest.param({}, {STATE: "v1;fleet=other"}, "OwnedByAnotherFleet: ", id="of another fleet"),
    ],
)
def test_a_scale_set_that_nobody_may_change_is_not_claimed(
    changes: dict[str, Any], tags: dict[str, str | None], message: str
) -> None:
    world = alone(with_model(World(ten(), spec(**changes))))
    world.azure.scale_set("web").set_tags(tags)
    with pytest.raises((NotClaimed, PickRefused), match=message):
        ByHand(world).run("update domain 3")
    assert UPDATE not in world.requests()


def test_a_frozen_scale_set_is_not_claimed() -> None:
    world = alone(with_model(World(ten(), spec(), of_all(freeze=True))))
    with pytest.raises(NotClaimed, match="Frozen: "):
        ByHand(world).run("update domain 3")
    assert UPDATE not in world.requests()


SLOW: dict[str, Any] = {"rollout": {"maxBatch": 1, "soak": "20m"}, "health": {"timeout": "10m"}}


def in_its_second_half(hand: ByHand, then: Callable[[], None]) -> None:
    """Let something happen once the claim is due to be renewed."""
    began, is_done = hand.world.clock.now(), False

    def happen() -> None:
        nonlocal is_done
        if not is_done and hand.world.clock.now() - began > 5 * MINUTE:
            is_done = True
            then()

    hand.at_wait = dict.fromkeys(range(1000), happen)


def test_a_claim_of_a_paused_scale_set_is_not_renewed() -> None:
    world = alone(with_model(World(ten(), spec(**SLOW))))
    hand = ByHand(world)
    in_its_second_half(hand, lambda: world.azure.scale_set("web").set_tags({PAUSE: "incident"}))
    with pytest.raises(NotClaimed, match="Paused: the scale set is paused"):
        hand.run("update domain 3")
    assert batches(world) == ["3"]
    assert tag(world) == ""


def test_a_claim_that_is_gone_is_not_taken_again() -> None:
    world = alone(with_model(World(ten(), spec(**SLOW))))
    hand = ByHand(world)
    hand.upgrade.begin(hand_state(hand))
    world.azure.scale_set("web").set_tags({CLAIM: ""})
    with pytest.raises(NotClaimed, match="the claim is gone"):
        hand.upgrade.begin(hand_state(hand))
    assert tag(world) == ""


def hand_state(hand: ByHand) -> ScaleSetState:
    if not hand.reconciler.store.states():
        hand.reconciler.once(act=False)
    (state,) = hand.reconciler.store.states()
    return state


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Status(412, "PreconditionFailed", "Etag does not match."), id="another writer"),
        pytest.param(Throttled(SECOND), id="too many requests"),
        pytest.param(Timeout(), id="no answer"),
        pytest.param(Timeout(lost_answer=True), id="a lost answer"),
    ],
)
def test_one_failed_renewal_does_not_end_the_command(fault: Fault) -> None:
    world = alone(with_model(World(ten(), spec(**SLOW))))
    hand = ByHand(world)
    in_its_second_half(hand, lambda: world.azure.faults.arm(UPDATE, fault))
    assert hand.run("update domain 3").is_served
    assert batches(world) == ["3", "8"]
    assert tag(world) == ""
    assert any(each.fault == fault for each in world.azure.record.requests)


def test_a_claim_that_can_never_be_renewed_ends_the_command_when_it_ends() -> None:
    world = alone(with_model(World(ten(), spec(**SLOW))))
    hand = ByHand(world)
    conflict = Status(412, "PreconditionFailed", "Etag does not match.")
    in_its_second_half(hand, lambda: world.azure.faults.arm(UPDATE, conflict, times=None))
    with pytest.raises(NotClaimed, match="the claim is over"):
        hand.run("update domain 3")
    assert batches(world) == ["3"]


def test_a_claim_whose_answer_is_lost_is_adopted() -> None:
    world = alone(with_model(World(ten(), spec())))
    world.azure.faults.arm(UPDATE, Timeout(lost_answer=True))
    assert ByHand(world).run("update domain 3").is_served
    assert tag(world) == ""


def test_a_claim_of_which_nothing_is_known_is_removed() -> None:
    world = alone(with_model(World(ten(), spec())))
    hand = ByHand(world)
    hand.reconciler.once(act=False)
    world.azure.faults.arm(UPDATE, Timeout(lost_answer=True))
    world.azure.faults.arm(GET, Timeout(), after=1)  # the first is before the claim
    with pytest.raises(Unreachable):
        hand.run("update domain 3")
    assert tag(world) == ""
    assert batches(world) == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_claim_that_cannot_be_removed_at_once_is_removed_soon(times: int) -> None:
    world = alone(with_model(World(ten(), spec())))
    hand = ByHand(world)
    conflict = Status(412, "PreconditionFailed", "Etag does not match.")
    world.azure.faults.arm(UPDATE, conflict, after=1, times=times)
    assert hand.run("update domain 3").is_served
    assert tag(world) == ""
    assert not any("could not be removed" in line for line in hand.said)


def test_a_forged_claim_stops_nobody_for_long() -> None:
    world = World(ten(), spec())
    world.azure.scale_set("web").set_tags({CLAIM: "holder=x;by=eve;until=2126-01-05T09:00:00+00:00"})
    world.run()
    assert on(world, "web") == {NEW}
    assert tag(world) == ""
