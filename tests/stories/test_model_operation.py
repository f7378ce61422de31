"""A change of the model that Azure accepts: no upgrade starts before the result of its operation is known."""

from datetime import timedelta

import pytest

from reconciler.simulator import OperationFails, Slow, Status
from tests.messages import says
from tests.stories.world import FIX, NEW, World, fleet, scale_set, spec

PATCH, UPGRADE = "VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"
MINUTE = timedelta(minutes=1)
REFUSED = OperationFails("MarketplacePurchaseEligibilityFailed", "Marketplace purchase eligibility failed.")


def writes(world: World) -> list[str]:
    return [each for each in world.requests() if each in (PATCH, UPGRADE)]


def test_a_failed_change_of_the_model_is_retried_after_five_minutes_before_any_upgrade() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(PATCH, REFUSED, times=2)
    world.rest(9 * MINUTE)
    assert writes(world) == [PATCH, PATCH]
    assert world.lines()["web"] == says(
        "OperationFailed", NEW, "09:05:00", "MarketplacePurchaseEligibilityFailed"
    )
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}
    assert writes(world)[:4] == [PATCH, PATCH, PATCH, UPGRADE]


def test_a_fix_is_set_at_once_after_a_failed_change_of_the_model() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(PATCH, REFUSED)
    world.run(lambda: world.reasons()[-1:] == ["OperationFailed"])
    world.merge(spec(version=FIX))
    world.rest(2 * MINUTE)
    assert writes(world)[:2] == [PATCH, PATCH]
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", FIX)}


def test_a_failed_change_of_the_model_is_noticed_if_its_operation_cannot_be_read() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(PATCH, REFUSED)
    world.azure.faults.arm(
        "Operations_Get",
        Status(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        times=None,
    )
    world.rest(4 * MINUTE)
    assert writes(world) == [PATCH]
    world.run()
    assert writes(world)[:3] == [PATCH, PATCH, UPGRADE]


def test_no_upgrade_starts_during_a_slow_change_of_the_model() -> None:
    world = World(fleet(scale_set(capacity=5), timings={"model": "20m"}), spec())
    world.rest(15 * MINUTE)
    assert writes(world) == [PATCH]
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}


def test_a_change_of_the_model_is_not_repeated_if_another_writer_changes_the_tags() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.run(lambda: PATCH in world.requests())
    world.azure.scale_set("web").set_tags({"team": "web"})
    world.run()
    assert writes(world).count(PATCH) == 1


@pytest.mark.parametrize("seconds", [5, 40], ids="after {} s".format)
def test_a_rollout_completes_if_writes_are_answered_slowly(seconds: int) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(PATCH, Slow(timedelta(seconds=seconds)), times=None)
    world.azure.faults.arm(UPGRADE, Slow(timedelta(seconds=seconds)), times=None)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}
    assert writes(world).count(PATCH) == 1


def test_a_restart_after_a_failed_change_sets_the_model_again_before_any_upgrade() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(PATCH, REFUSED, times=3)
    for _ in range(2):
        world.rest(2 * MINUTE)
        world.restart()
    world.run(lambda: UPGRADE in world.requests())
    assert writes(world) == [PATCH, PATCH, PATCH, PATCH, UPGRADE]
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}


@pytest.mark.parametrize(
    ("fault", "times", "line"),
    [
        pytest.param(
            Status(503, "ServerTimeout", "The server is too busy to answer."),
            None,
            says("Unreachable"),
            id="Azure answers 503",
        ),
        pytest.param(
            Status(429, "Throttled", "Too many requests were received for this subscription."),
            4,
            says("Throttled"),
            id="Azure throttles",
        ),
    ],
)
def test_no_upgrade_starts_while_the_operation_of_the_model_cannot_be_read(
    fault: Status, times: int | None, line: str
) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm("Operations_Get", fault, times=times)
    world.rest(3 * MINUTE)
    assert writes(world) == [PATCH]
    assert world.outcomes[-1].line == line
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}
