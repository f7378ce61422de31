"""Errors with one scale set, with the list or with the specs. Everything else continues, and rollouts recover."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute, Scope
from reconciler.rollout.observed import Instance, Model
from reconciler.simulator import OperationFails, Request, Reset, Status, Throttled, Timeout, Truncated
from reconciler.simulator.faults import Fault, Stale
from reconciler.spec.scale_set import Target
from tests.messages import says
from tests.stories.world import NEW, OLD, SUBSCRIPTION, World, fleet, scale_set, spec

FAULTS: dict[str, Fault] = {
    "500": Status(500, "InternalServerError", "Oops."),
    "409": Status(409, "Conflict", "The request failed due to conflict with a concurrent request."),
    "412": Status(412, "PreconditionFailed", "Etag provided in if-match header does not match."),
    "429": Throttled(timedelta(seconds=90)),
    "timeout": Timeout(),
    "timeout after the call is carried out": Timeout(lost_answer=True),
    "connection reset": Reset(),
    "connection reset after the call is carried out": Reset(lost_answer=True),
    "truncated answer": Truncated(),
}
OPERATIONS = [
    "VirtualMachineScaleSets_ListAll",
    "VirtualMachineScaleSets_Get",
    "VirtualMachineScaleSetVMs_List",
    "VirtualMachineScaleSetRollingUpgrades_GetLatest",
    "VirtualMachineScaleSets_Update",
    "VirtualMachineScaleSets_UpdateInstances",
]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_rollout_completes_after_a_fault_at_any_call(operation: str, fault: Fault) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, fault, after=1 if operation != "VirtualMachineScaleSets_Update" else 0)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}
    assert world.azure.faults.take_fault(operation, Request("GET", "/"), world.clock.now()) is None, (
        "the fault never struck"
    )


@pytest.mark.parametrize("seconds", [20, 60, 240], ids="{} s behind".format)
@pytest.mark.parametrize(
    "operation",
    ["VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get", "VirtualMachineScaleSetVMs_List"],
)
@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed after each upgrade"]
)
def test_stale_reads_take_no_second_domain_out_of_service(
    operation: str, seconds: int, *, killed: bool
) -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    world.azure.faults.arm(operation, Stale(timedelta(seconds=seconds)), times=None)
    for upgrades in range(1, 4):
        world.run(partial(world.has_upgraded, upgrades))
        if killed:
            world.restart()
    world.azure.faults.disarm()
    world.rest(timedelta(minutes=10)).run()
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}


def test_a_failed_upgrade_is_retried_though_its_cause_cannot_be_read() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(
        "VirtualMachineScaleSets_UpdateInstances",
        OperationFails("VMExtensionProvisioningError", "VM has reported a failure."),
        times=2,
    )
    world.azure.faults.arm("Operations_Get", Throttled(timedelta(hours=2)), times=None)
    world.rest(timedelta(hours=1))
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}


def test_a_throttled_read_does_not_hide_that_a_scale_set_is_failing() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version="24.04.202602010"))
    world.run(lambda: world.reasons()[-1:] == ["HealthCheckFailed"])
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(timedelta(minutes=5)))
    world.run(lambda: world.reasons()[-1:] == ["Throttled"])
    outcome = world.state().outcome
    assert outcome is not None
    assert outcome.status == "Failing"


def test_a_refused_scale_set_does_not_block_the_others() -> None:
    world = World(fleet(scale_set("bad", capacity=5), scale_set(capacity=5)), spec("bad"), spec())
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Status(403, "AuthorizationFailed", "The client does not have authorization."),
        times=None,
        when=lambda request: "/bad" in request.path,
    )
    world.run()
    assert world.lines() == {
        "bad": says("Refused", "AuthorizationFailed", OLD, NEW),
        "web": says("UpToDate", "5", NEW),
    }


def test_a_role_granted_later_takes_effect_without_a_restart() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Status(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        times=3,
    )
    world.run(lambda: world.lines()["web"].startswith("UpToDate"))
    assert world.reasons()[:3] == ["Refused", "ModelDrift", "Upgrading"]


def test_a_failed_list_is_reported_and_rollouts_continue() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 1)
    world.azure.faults.arm(
        "VirtualMachineScaleSets_ListAll", Status(503, "ServerTimeout", "Try later."), times=None
    )
    world.run()
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}
    world.rest(timedelta(minutes=2))
    sweep = world.reconciler.store.last_sweep
    assert sweep is not None
    assert sweep.errors == (f'subscription {SUBSCRIPTION}: Azure returned ServerTimeout ("Try later")',)
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}


def test_a_failed_upgrade_is_retried_slowly_before_any_other_domain() -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    failure = OperationFails("VMExtensionProvisioningError", "VM has reported a failure.")
    world.azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", failure, times=3)
    world.run().rest(timedelta(minutes=2))
    assert world.lines() == {"web": says("UpToDate", "10", NEW)}
    asked = [
        x for x in world.azure.record.requests if x.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    assert [x.body["instanceIds"] for x in asked[:4]] == [["0", "5"]] * 4
    assert all(later.at - earlier.at >= timedelta(minutes=5) for earlier, later in pairwise(asked[:4]))


class Buggy(Compute):
    """A client with a bug that affects one scale set."""

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        if target.name == "odd":
            raise KeyError("something nobody thought of")
        return super().instances(target, model, priority)


def test_a_bug_in_one_reconcile_is_reported_and_affects_only_its_scale_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sets = fleet(scale_set("web", capacity=5), scale_set("odd", capacity=5))
    world = World(sets, spec("web"), spec("odd"), compute=Buggy)
    world.run(lambda: world.lines()["web"].startswith("UpToDate"))
    assert world.lines()["odd"] == says("Bug", "KeyError")
    assert "odd: reconcile failed" in caplog.text


class BuggyList(Compute):
    """A client whose lists have a bug once `breaks` is set."""

    breaks = False

    def models(self, scope: Scope) -> Iterator[Model]:
        if self.breaks:
            raise AttributeError("an unexpected error")
        return super().models(scope)


def test_a_bug_in_a_list_is_reported_and_rollouts_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(fleet(scale_set()), spec(), compute=BuggyList)
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 1)
    monkeypatch.setattr(BuggyList, "breaks", True)
    world.run()
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}
    sweep = world.reconciler.store.last_sweep
    assert sweep is not None
    assert "the list failed because of a bug in the reconciler (AttributeError: " in sweep.errors[0]


def test_a_commit_merged_while_the_list_fails_is_rolled_out() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD)).run()
    world.merge(spec(version=NEW))
    world.azure.faults.arm(
        "VirtualMachineScaleSets_ListAll", Status(503, "ServerTimeout", "Try later."), times=2
    )
    world.rest(timedelta(minutes=4))
    world.run(limit=timedelta(minutes=20))
    assert world.lines() == {"web": says("UpToDate", "5", NEW)}


def test_a_rollout_survives_a_read_error_while_the_list_fails() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 1)
    world.azure.faults.arm(
        "VirtualMachineScaleSets_ListAll", Status(503, "ServerTimeout", "Try later."), times=None
    )
    world.azure.faults.arm(
        "VirtualMachineScaleSetVMs_List", Status(500, "InternalServerError", "Oops."), times=2
    )
    world.run(limit=timedelta(hours=1))
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}


def test_throttling_of_one_scale_set_does_not_block_the_others() -> None:
    world = World(fleet(scale_set("a", capacity=5), scale_set("b", capacity=5)), spec("a"), spec("b"))
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Throttled(timedelta(minutes=20), group="VMScaleSetActionsResource"),
        when=lambda request: request.path.endswith("/a"),
    )
    start = world.clock.now()
    world.run(lambda: world.lines()["b"].startswith("UpToDate"))
    assert world.clock.now() - start < timedelta(minutes=20)
    world.run()
    assert world.lines()["a"] == says("UpToDate", "5", NEW)


def test_a_deleted_scale_set_is_reported_as_not_found() -> None:
    world = World(fleet(scale_set(capacity=5)), spec()).run()
    world.azure.scale_set("web").delete()
    world.rest(timedelta(minutes=2))
    assert world.lines()["web"] == says("NotFound")


def test_removing_a_spec_leaves_its_scale_set_as_it_is() -> None:
    world = World(fleet(scale_set(), scale_set("other")), spec(), spec("other"))
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 1)
    world.unmerge("other")
    world.run()
    assert list(world.lines()) == ["web"]
    assert set(world.azure.record.images("other").values()) > {f"Canonical:ubuntu-24_04-lts:server:{OLD}"}
