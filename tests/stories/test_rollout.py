"""Whole rollouts through the real SDK, checked by the simulator's own record."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.rollout.observed import RollingUpgrade
from reconciler.spec.scale_set import Target
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.world import BAD, FIX, NEW, OLD, SUBSCRIPTION, World, fleet, platform, scale_set, spec


def images(world: World, name: str = "web") -> set[str]:
    """The versions that the instances run."""
    return {image.rsplit(":", 1)[-1] for image in world.azure.record.images(name).values()}


def test_a_hundred_instances_are_upgraded_one_update_domain_at_a_time() -> None:
    world = World(fleet(scale_set(capacity=100)), spec()).run()
    assert world.lines() == {"web": says("UpToDate", "100", NEW)}
    assert images(world) == {NEW}
    assert world.requests().count("VirtualMachineScaleSets_Update") == 1
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 5


@pytest.mark.parametrize(
    ("declared", "batches"),
    [
        pytest.param(scale_set(capacity=20), 5, id="five update domains"),
        pytest.param(scale_set(capacity=18), 5, id="update domains of uneven size"),
        pytest.param(
            scale_set(capacity=15, zones=["1", "2", "3"]), 15, id="zones with five update domains each"
        ),
        pytest.param(
            scale_set(capacity=15, zones=["1", "2", "3"], zonalUpdateDomains=False),
            6,
            id="zones without update domains, in batches of three",
        ),
        pytest.param(scale_set(capacity=20, placementGroupSize=10), 10, id="two placement groups"),
        pytest.param(scale_set(capacity=1), 1, id="one instance"),
        pytest.param(scale_set(capacity=2), 2, id="two instances"),
        pytest.param(scale_set(capacity=10, health="none"), 5, id="no health source"),
        pytest.param(scale_set(capacity=10, health="probe"), 5, id="a load balancer probe"),
    ],
)
def test_every_topology_is_upgraded_one_domain_at_a_time(declared: dict[str, object], batches: int) -> None:
    world = World(fleet(declared), spec()).run()
    assert world.lines()["web"] == says("UpToDate")
    assert images(world) == {NEW}
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == batches


def test_a_rollout_reports_the_reason_at_each_stage() -> None:
    world = World(fleet(scale_set(capacity=5)), spec()).run()
    busy = ["AzureUpdating"] if World.during_upgrade == "Updating" else []
    one_domain = ["Upgrading", *busy, "WaitingForInstances"]
    assert world.reasons() == ["ModelDrift", *one_domain * 5, "UpToDate"]


def test_a_bad_image_stops_after_its_first_domain() -> None:
    world = World(fleet(scale_set()), spec(version=BAD))
    world.run(lambda: world.lines()["web"].startswith("HealthCheckFailed"))
    world.rest(timedelta(hours=1))
    assert world.lines()["web"] == (
        says(
            "HealthCheckFailed",
            "update domain 0",
            "web_0, web_5, web_10 and web_15 (all unhealthy)",
            "10m",
        )
    )
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 1
    assert sorted(world.azure.record.unavailable_at("web", world.clock.now())) == ["0", "10", "15", "5"]


def test_a_fix_goes_to_the_unhealthy_instances_first() -> None:
    world = World(fleet(scale_set()), spec(version=BAD))
    world.run(lambda: world.lines()["web"].startswith("HealthCheckFailed"))
    world.merge(spec(version=FIX))
    world.run()
    upgrades = [
        x.body["instanceIds"]
        for x in world.azure.record.requests
        if x.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    assert upgrades[1] == ["0", "5", "10", "15"]
    assert images(world) == {FIX}


def test_a_new_commit_replaces_the_rollout_in_progress() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2)
    world.merge(spec(version=FIX))
    world.run()
    assert images(world) == {FIX}


@pytest.mark.parametrize("upgrades", range(6), ids="killed after {} upgrades".format)
def test_a_restarted_daemon_continues_the_rollout(upgrades: int) -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == min(upgrades, 5))
    world.restart()
    world.run()
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}
    assert images(world) == {NEW}


def test_one_change_of_an_image_document_updates_every_scale_set_that_refers_to_it() -> None:
    names = ["api", "cart", "web"]
    image = {"apiVersion": "vmss-reconciler/v1alpha1", "kind": "Image", "metadata": {"name": "base"}}
    documents = [spec(name, image={"ref": "base"}) for name in names]
    world = World(
        fleet(*(scale_set(name, capacity=5) for name in names)), *documents, image | {"spec": platform(OLD)}
    )
    world.run()
    assert all(line.startswith("UpToDate") for line in world.lines().values())
    assert "VirtualMachineScaleSets_Update" not in world.requests()
    world.merge(image | {"spec": platform(NEW)})
    world.rest(timedelta(minutes=2))
    world.run()
    assert [images(world, name) for name in names] == [{NEW}] * 3


def test_a_scale_set_in_automatic_mode_is_refused_and_the_others_continue() -> None:
    world = World(fleet(scale_set("auto", mode="Automatic"), scale_set()), spec("auto"), spec()).run()
    assert world.lines()["auto"] == says("NotManualMode", "Automatic")
    assert world.lines()["web"] == says("UpToDate", "20", NEW)
    assert images(world, "auto") == {OLD}


def test_protected_and_deallocated_instances_do_not_block_a_rollout() -> None:
    states = [{"id": "3", "power": "deallocated"}]
    world = World(fleet(scale_set(protected=["0"], instanceStates=states)), spec()).run()
    assert world.lines()["web"] == (
        says(
            "InstancesLeftOut",
            "18 of 20",
            NEW,
            "web_0 (protected from scale set actions)",
            "web_3 (deallocated)",
        )
    )
    world.rest(timedelta(minutes=6))
    asked = len(world.requests())
    world.rest(timedelta(minutes=30))
    assert set(world.requests()[asked:]) == {"VirtualMachineScaleSets_ListAll"}


def test_an_instance_that_was_changed_individually_is_left_out_until_the_spec_overwrites_it() -> None:
    states = [{"id": "3", "modelDefinitionApplied": "VirtualMachine"}]
    world = World(fleet(scale_set(instanceStates=states)), spec()).run()
    assert world.lines()["web"] == says("InstancesLeftOut", "19 of 20", NEW, "web_3 (changed individually)")
    assert world.azure.record.images("web")["3"].endswith(OLD)
    world.merge(spec(rollout={"customizedInstances": "overwrite"}))
    world.run()
    assert world.lines()["web"] == says("UpToDate", "20", NEW)


def test_instances_added_during_a_rollout_are_up_to_date() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2)
    world.azure.scale_set("web").scale_to(30)
    world.run()
    assert world.lines()["web"] == says("UpToDate", "30", NEW)


def test_an_extension_that_a_policy_adds_is_rolled_out_only_with_converge_model() -> None:
    world = World(
        fleet(scale_set(image=platform(NEW)), scale_set("all", image=platform(NEW))),
        spec(),
        spec("all", rollout={"converge": "model"}),
    )
    world.run()
    for name in ("web", "all"):
        world.azure.scale_set(name).add_extension(
            "Antimalware", "Microsoft.Azure.Security", "IaaSAntimalware"
        )
    world.rest(timedelta(minutes=5))
    world.run()
    assert world.lines()["web"] == says("UpToDate", "20", NEW, "converge: model")
    assert world.lines()["all"] == says("UpToDate", "20", NEW)
    upgrades = [
        x for x in world.azure.record.requests if x.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    assert all("/all/" in upgrade.path for upgrade in upgrades)
    assert [upgrade.body["instanceIds"][0] for upgrade in upgrades] == ["0", "1", "2", "3", "4"]


def test_a_suspended_scale_set_is_not_written_until_it_is_resumed() -> None:
    world = World(fleet(scale_set()), spec(suspend=True)).run()
    assert images(world) == {OLD}
    nothing_was_written(world.azure.record, 0)
    world.merge(spec(suspend=False))
    world.rest(timedelta(minutes=2))
    world.run()
    assert images(world) == {NEW}


def test_a_scale_set_that_does_not_exist_is_reported() -> None:
    world = World(fleet(scale_set("other")), spec()).run()
    assert world.lines()["web"] == (
        says(
            "NotFound",
            f"scale set web in resource group shop of subscription {SUBSCRIPTION}",
        )
    )


def test_a_rollout_waits_for_a_native_rolling_upgrade() -> None:
    world = World(fleet(scale_set()), spec())
    world.azure.scale_set("web").start_rolling_upgrade()
    world.step()
    assert world.lines()["web"].startswith(("NativeUpgradeInProgress", "AzureUpdating"))
    world.run()
    assert images(world) == {NEW}


def test_a_rollout_completes_though_the_model_changes_before_health_is_reported() -> None:
    silent = scale_set(health="binaryExtension")
    world = World(fleet(silent, timings={"health": "8m"}), spec())
    world.run(lambda: world.azure.scale_set("web").instance("0").state[0::2] == ("succeeded", "initializing"))
    world.azure.scale_set("web").add_extension("Antimalware", "Microsoft.Azure.Security", "IaaSAntimalware")
    world.rest(timedelta(minutes=2))
    world.merge(spec(version=FIX))
    world.run()
    assert images(world) == {FIX}


def test_a_spec_renamed_during_a_rollout_continues_it() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 2)
    renamed = spec("front", target=spec()["spec"]["target"])
    world.unmerge("web")
    world.merge(renamed)
    world.run()
    assert world.lines() == {"front": says("UpToDate", "20", NEW)}
    assert world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 5


def test_two_specs_that_swap_their_scale_sets_roll_out_to_the_new_ones() -> None:
    world = World(fleet(scale_set("a"), scale_set("b")), spec("a", NEW), spec("b", FIX))
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 3)
    world.merge(
        spec("a", NEW, target=spec("b")["spec"]["target"]), spec("b", FIX, target=spec("a")["spec"]["target"])
    )
    world.run()
    assert (images(world, "a"), images(world, "b")) == ({FIX}, {NEW})


class Editing(Compute):
    """A client during whose last read a commit is merged, right before the step."""

    landing: ClassVar[list[Callable[[], None]]] = []

    def rolling_upgrade(self, target: Target, priority: Priority) -> RollingUpgrade:
        for land in self.landing:
            land()
        return super().rolling_upgrade(target, priority)


@pytest.mark.parametrize(
    ("commit", "line"),
    [
        pytest.param(
            lambda world: world.merge(spec(suspend=True)), "Suspended", id="the commit suspends the scale set"
        ),
        pytest.param(lambda world: world.unmerge("web"), "", id="the commit removes the spec"),
    ],
)
def test_a_commit_between_an_observation_and_its_step_stops_the_step(
    commit: Callable[[World], None], line: str
) -> None:
    world = World(
        fleet(scale_set(), scale_set("other", image=platform(NEW))), spec(), spec("other"), compute=Editing
    )

    def land() -> None:
        Editing.landing.clear()
        commit(world)
        world.reconciler.sweep()

    Editing.landing[:] = [land]
    world.step()
    assert [each.reason for each in world.outcomes if each.name == "web"] == ["Conflict"]
    world.run()
    assert world.lines().get("web", "").startswith(line)
    assert "VirtualMachineScaleSets_Update" not in world.requests()


def test_counts_for_the_previous_image_are_not_shown_after_a_commit() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_UpdateInstances") == 3)
    counts = world.state().seen.counts
    assert counts is not None
    assert counts.up_to_date == 8
    world.merge(spec(version=FIX))
    world.run(lambda: world.lines()["web"].startswith("ModelDrift"))
    assert world.state().seen.counts is None
    world.run()
    assert world.lines() == {"web": says("UpToDate", "20", FIX)}
