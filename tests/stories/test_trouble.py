"""Things go wrong: with one scale set, with the list, with the specs. What is not concerned goes on."""

from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.simulator import OperationFails, Reset, Status, Throttled, Timeout, Truncated
from reconciler.simulator.faults import Fault
from tests.stories.world import NEW, OLD, SUBSCRIPTION, World, fleet, scale_set, spec

FAULTS: list[Fault] = [
    Status(500, "InternalServerError", "Oops."),
    Status(409, "Conflict", "The request failed due to conflict with a concurrent request."),
    Status(412, "PreconditionFailed", "Etag provided in if-match header does not match."),
    Throttled(timedelta(seconds=90)),
    Timeout(),
    Timeout(lost_answer=True),
    Reset(),
    Reset(lost_answer=True),
    Truncated(),
]
OPERATIONS = [
    "scaleSets.list",
    "scaleSets.get",
    "scaleSets.instances",
    "rollingUpgrades.latest",
    "scaleSets.patch",
    "scaleSets.manualUpgrade",
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_at_any_call_delays_a_rollout_and_no_more(operation: str, fault: Fault) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, fault, times=2, after=1 if operation != "scaleSets.patch" else 0)
    world.run()
    assert world.lines() == {"web": f"UpToDate: all 5 instances run {NEW}"}
    assert world.azure.record.most_domains_away("web") == 1


def test_one_scale_set_in_trouble_holds_up_no_other() -> None:
    world = World(fleet(scale_set("bad", capacity=5), scale_set(capacity=5)), spec("bad"), spec())
    world.azure.faults.arm(
        "scaleSets.patch",
        Status(403, "AuthorizationFailed", "The client does not have authorization."),
        times=None,
        when=lambda request: "/bad" in request.path,
    )
    world.run()
    assert world.lines() == {
        "bad": "Refused: AuthorizationFailed: The client does not have authorization. (while the model is on "
        f"{OLD}; setting its image to {NEW})",
        "web": f"UpToDate: all 5 instances run {NEW}",
    }


def test_a_role_that_is_granted_later_is_found_without_a_restart() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm("scaleSets.patch", Status(403, "AuthorizationFailed", "No."), times=3)
    world.run(lambda: world.lines()["web"].startswith("UpToDate"))
    assert world.reasons()[:3] == ["Refused", "ModelDrift", "Upgrading"]


def test_a_list_that_fails_is_told_and_what_is_rolling_goes_on() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("scaleSets.manualUpgrade") == 1)
    world.azure.faults.arm("scaleSets.list", Status(503, "ServerTimeout", "Try later."), times=None)
    world.run()
    assert world.lines() == {"web": f"UpToDate: all 20 instances run {NEW}"}
    world.rest(timedelta(minutes=2))
    sweep = world.reconciliation.board.last_sweep
    assert sweep is not None
    assert sweep.trouble == (f"subscription {SUBSCRIPTION}: ServerTimeout: Try later.",)
    assert world.lines() == {"web": f"UpToDate: all 20 instances run {NEW}"}


def test_an_upgrade_that_fails_is_tried_again_without_haste_and_no_other_domain_is_touched() -> None:
    world = World(fleet(scale_set(capacity=10)), spec())
    failure = OperationFails("VMExtensionProvisioningError", "VM has reported a failure.")
    world.azure.faults.arm("scaleSets.manualUpgrade", failure, times=3)
    world.run()
    assert world.lines() == {"web": f"UpToDate: all 10 instances run {NEW}"}
    asked = [x for x in world.azure.record.requests if x.operation == "scaleSets.manualUpgrade"]
    assert [x.body["instanceIds"] for x in asked[:4]] == [["0", "5"]] * 4
    assert all(later.at - earlier.at >= timedelta(minutes=5) for earlier, later in pairwise(asked[:4]))


def test_a_tick_that_hits_a_bug_costs_its_own_scale_set_a_tick_and_is_called_a_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(fleet(scale_set("web", capacity=5), scale_set("odd", capacity=5)), spec("web"), spec("odd"))
    compute = world.reconciliation._azure
    original = compute.instances

    def instances(target: object) -> object:
        if getattr(target, "name", "") == "odd":
            raise KeyError("something nobody thought of")
        return original(target)  # type: ignore[arg-type]

    compute.instances = instances  # type: ignore[assignment, method-assign]
    world.run(lambda: world.lines()["web"].startswith("UpToDate"))
    assert world.lines()["odd"].startswith("Bug: a bug in the reconciler, please report it: KeyError")
    assert "odd: tick failed" in caplog.text


def test_a_scale_set_that_is_deleted_and_made_again_is_followed_again() -> None:
    world = World(fleet(scale_set(capacity=5)), spec()).run()
    world.azure.scale_set("web").delete()
    world.rest(timedelta(minutes=2))
    assert world.lines()["web"].startswith("NotFound: ")


def test_a_spec_that_is_removed_leaves_its_scale_set_as_it_is() -> None:
    world = World(fleet(scale_set(), scale_set("other")), spec(), spec("other"))
    world.run(lambda: world.requests().count("scaleSets.manualUpgrade") == 1)
    del world.source.documents["web"]
    world.source.number += 1
    world.run()
    assert list(world.lines()) == ["other"]
    assert set(world.azure.record.images("web").values()) > {f"Canonical:ubuntu-24_04-lts:server:{OLD}"}
