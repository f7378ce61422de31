"""Azure's request budgets for a whole fleet: they are never exceeded, and rollouts have priority."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.rollout.observed import Instance, Model
from reconciler.simulator import Throttled
from reconciler.simulator.clock import MONDAY_MORNING
from reconciler.simulator.live import LiveScaleSet
from reconciler.simulator.quota import Payer
from reconciler.spec.scale_set import Target
from tests.messages import says
from tests.stories.world import BASE, NEW, OLD, SUBSCRIPTION, World, fleet, scale_set, spec


def throttled_requests(world: World) -> list[str]:
    return [each.operation for each in world.azure.record.requests if each.status == 429]


def drain(world: World, operation: str, *, to: int) -> None:
    """Another tool uses up a budget of the region down to `to`, and again whenever it refills."""
    quotas, payer = world.azure.cloud.quotas, Payer(SUBSCRIPTION, ("westeurope",), "another")
    left = int(quotas.charge(operation, payer, calls=0, vms=0).partition(";")[2].partition(",")[0])
    quotas.charge(operation, payer, calls=max(0, left - to), vms=0)
    world.clock.after(timedelta(seconds=1), lambda: drain(world, operation, to=to))


@pytest.mark.timeout(400)  # the judging of 150 scale sets alone takes half a minute
def test_one_merge_for_150_scale_sets_exceeds_no_request_budget() -> None:
    """Without a limit they would list instances 10 times a second, and Azure refills 6."""
    names = [f"web-{number:04}" for number in range(150)]
    world = World(fleet(scale_set(count=150, capacity=1), throttling=True), *(spec(name) for name in names))
    world.run()
    assert all(line == says("UpToDate", NEW) for line in world.lines().values())
    assert throttled_requests(world) == []


def test_a_throttled_fleet_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """One of all scale sets is named every few minutes, and each once it has waited for too long."""
    caplog.set_level("INFO", "reconciler")
    names = [f"web-{number:04}" for number in range(5)]
    world = World(fleet(scale_set(count=5, capacity=1)), *(spec(name) for name in names))
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(timedelta(seconds=30)), times=None)
    world.rest(timedelta(minutes=12))
    throttled = [each for each in caplog.messages if each.startswith("web-") and "Throttled" in each]
    assert {each.reason for each in world.outcomes} == {"Throttled"}
    assert 1 <= len(throttled) <= 3
    world.rest(timedelta(hours=1))
    throttled = [each for each in caplog.messages if each.startswith("web-") and "Throttled" in each]
    assert {each.partition(":")[0] for each in throttled if "failing since" in each} == {*names}
    assert len(throttled) < 25


def test_a_rollout_continues_while_observations_of_settled_scale_sets_wait() -> None:
    sets = fleet(scale_set("web", capacity=10), scale_set("still", capacity=5), throttling=True)
    world = World(sets, spec("web", OLD), spec("still", OLD, interval="10m")).run()
    world.rest(timedelta(minutes=5))
    drain(world, "VirtualMachineScaleSetVMs_List", to=400)  # less than half, more than a fifth
    world.merge(spec("web", NEW, interval="10m"))
    world.rest(timedelta(minutes=2))  # the answers to its first reads show how little is left
    world.azure.scale_set("still").bump_etag()
    world.rest(timedelta(minutes=13))
    assert world.lines()["web"] == says("UpToDate", "10", NEW)
    waited = next(each for each in world.outcomes if each.name == "still" and each.reason == "Throttled")
    assert (
        "of 1080 requests are left in HighCostGetVMScaleSetSubscriptionMaximum, reserved for other clients"
        in waited.message
    )
    assert "Throttled" not in world.reasons("web")
    assert throttled_requests(world) == []


class Watched(Compute):
    """A client that records the share of the budget of each list of instances."""

    shares: ClassVar[list[Priority]] = []

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        Watched.shares.append(priority)
        return super().instances(target, model, priority)


def test_an_approved_rollout_is_observed_with_the_request_share_of_rollouts() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(rollout={"approval": "canary"}), compute=Watched)
    world.run(lambda: world.reasons()[-1:] == ["AwaitingApproval"])
    world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": f"{':'.join(BASE.values())}:{NEW}"})
    asked = len(world.requests())
    world.run(lambda: "VirtualMachineScaleSetVMs_List" in world.requests()[asked:])
    assert Watched.shares.pop() is Priority.ROLLOUT
    world.run().rest(timedelta(hours=2))
    assert Watched.shares.pop() is Priority.ROUTINE, "of what is settled"


def test_a_first_observation_that_waits_for_its_list_of_instances_reads_the_model_once() -> None:
    """A thousand that wait would otherwise use up the requests of everybody, even those of the next sweep."""
    world = World(fleet(scale_set(capacity=3)), spec(version=OLD))
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(timedelta(seconds=18)), times=6)
    world.run()
    assert world.azure.record.requests[-1].status == 200
    assert world.requests()[-2:] == ["VirtualMachineScaleSetVMs_List", "VirtualMachineScaleSets_Get"]
    assert world.requests().count("VirtualMachineScaleSets_Get") == 1


def test_a_settled_scale_set_whose_list_of_instances_waits_for_minutes_reads_the_model_once() -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version=OLD)).run()
    asked = len(world.requests())
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(timedelta(seconds=100)), times=4)
    world.rest(timedelta(hours=2))
    requests = world.requests()[asked:]
    attempts = requests.count("VirtualMachineScaleSetVMs_List")
    assert attempts > 4
    assert requests.count("VirtualMachineScaleSets_Get") <= 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            lambda it: it.set_image(f"{':'.join(BASE.values())}:{NEW}"), "ModelDrift", id="another image"
        ),
        pytest.param(lambda it: it.scale_to(3), "UpToDate", id="scaled in"),
    ],
)
def test_what_changed_during_a_long_wait_for_the_list_of_instances_is_seen_after_it(
    change: Callable[[LiveScaleSet], None], reason: str
) -> None:
    """A model that was read before the wait says nothing of what is so after it."""
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD, interval="60m")).run()
    world.rest(timedelta(minutes=8))
    world.azure.scale_set("web").bump_etag()
    seen, asked = len(world.outcomes), len(world.requests())
    pause = Throttled(timedelta(seconds=60))
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", pause, times=60)
    while "Throttled" not in [each.reason for each in world.outcomes[seen:]]:
        world.rest(timedelta(seconds=20))
    world.azure.faults.arm("VirtualMachineScaleSets_ListAll", pause, times=200)
    world.rest(timedelta(minutes=1))
    change(world.azure.scale_set("web"))
    world.run(lambda: world.outcomes[-1].reason != "Throttled")
    assert world.outcomes[-1].reason == reason
    requests = world.requests()[asked:]
    assert requests.count("VirtualMachineScaleSetVMs_List") > 60
    assert requests.count("VirtualMachineScaleSets_Get") <= 2, "not one for each attempt"


def test_a_rollout_after_a_first_observation_that_was_throttled_reads_the_model_before_its_step() -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(timedelta(seconds=18)), times=6)
    world.run()
    requests = world.requests()
    assert "VirtualMachineScaleSets_Get" in requests[: requests.index("VirtualMachineScaleSets_Update")]
    assert set(world.azure.record.images("web").values()) == {f"{':'.join(BASE.values())}:{NEW}"}


def test_a_single_pass_waits_until_azure_has_requests_left() -> None:
    names = [f"web-{number:04}" for number in range(400)]
    sets = fleet(scale_set(count=400, capacity=1), throttling=True)
    world = World(sets, *(spec(name, OLD) for name in names))
    world.reconciler.once(act=False)
    assert all(line == says("UpToDate", OLD) for line in world.lines().values())
    assert world.clock.now() - MONDAY_MORNING < timedelta(minutes=2)
    assert throttled_requests(world) == []


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        pytest.param(Throttled(timedelta(minutes=5)), 1, id="Azure asks for five minutes of pause once"),
        pytest.param(Throttled(timedelta(seconds=20)), None, id="every read is throttled"),
    ],
)
def test_a_single_pass_ends_though_one_scale_set_stays_throttled(fault: Throttled, times: int | None) -> None:
    world = World(
        fleet(scale_set("a", capacity=1), scale_set("b", capacity=1)), spec("a", OLD), spec("b", OLD)
    )
    world.azure.faults.arm(
        "VirtualMachineScaleSetVMs_List", fault, times=times, when=lambda request: "/b/" in request.path
    )
    world.reconciler.once(act=False)
    assert world.lines()["a"] == says("UpToDate", OLD)
    assert world.lines()["b"] == says("Throttled")
    assert world.clock.now() - MONDAY_MORNING < timedelta(minutes=2)
