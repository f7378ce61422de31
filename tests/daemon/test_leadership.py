"""What a replica says of who leads."""

import pytest

from reconciler.daemon.commands import LoopCommands
from reconciler.daemon.leadership import Alone, Leader, describe_standby
from reconciler.daemon.reconciler import Reconciler
from tests.build import NOW
from tests.stories.world import World, fleet, scale_set, spec


class Standby(Alone):
    is_shared = True
    term = 0

    def __init__(self, leader: Leader | None) -> None:
        self.leader = leader


@pytest.mark.parametrize(
    "leader, text",
    [
        pytest.param(None, "this replica is on standby, and does not know who leads", id="nobody"),
        pytest.param(Leader("pod-1_ab"), "this replica is on standby: pod-1_ab leads", id="another one"),
        pytest.param(
            Leader("pod-1_ab", since=NOW),
            "this replica is on standby: pod-1_ab leads since 2026-01-05 09:00 UTC",
            id="another one, and since when",
        ),
        pytest.param(
            Leader("pod-1_ab", is_this=True),
            "this replica holds the Lease, and waits until it is certain that no other one still acts",
            id="this one, which does not act yet",
        ),
    ],
)
def test_a_standby_says_why_it_stands_by(leader: Leader | None, text: str) -> None:
    assert describe_standby(Standby(leader)) == text


def commands(reconciler: Reconciler, leadership: Alone) -> LoopCommands:
    reconciler.store.leadership = leadership
    return LoopCommands(reconciler)


def test_only_a_leader_takes_requests() -> None:
    reconciler = World(fleet(scale_set()), spec()).reconciler
    assert commands(reconciler, Alone()).standby == ""
    standby = commands(reconciler, Standby(Leader("pod-1_ab"))).standby
    assert standby == "this replica is on standby: pod-1_ab leads; ask the leader"
