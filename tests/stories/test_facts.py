"""What Azure reports about a scale set beyond its image and health, and what a rollout does about it."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import Status
from reconciler.simulator.faults import Malformed
from tests.invariants import nothing_was_written
from tests.messages import says
from tests.stories.test_images import declared, named
from tests.stories.world import BASE, NEW, OLD, World, fleet, platform, scale_set, spec

PATCH = "VirtualMachineScaleSets_Update"
MINUTE = timedelta(minutes=1)
SATURDAY = {"windows": [{"kind": "allow", "schedule": "0 2 * * 6", "duration": "4h", "timeZone": "UTC"}]}


def version(number: str, **details: Any) -> dict[str, Any]:
    """Details of a platform image, for a fleet."""
    return {"image": f"{':'.join(BASE.values())}:{number}", **details}


@pytest.mark.parametrize(
    ("changes", "details", "fact"),
    [
        pytest.param(
            {}, [version(OLD, hyperVGeneration="V1"), version(NEW, hyperVGeneration="V2")], "V2",
            id="another Hyper-V generation",
        ),
        pytest.param({}, [version(NEW, architecture="Arm64")], "Arm64", id="another architecture"),
        pytest.param({"diskSizeGB": 30}, [version(NEW, diskSizeGB=64)], "64 GB", id="a larger disk"),
        pytest.param(
            {}, [version(NEW, securityType="TrustedLaunch")], "TrustedLaunch",
            id="another security type",
        ),
        pytest.param(
            {}, [version(NEW, plan={"publisher": "contoso", "product": "firewall", "name": "byol"})],
            "contoso:firewall:byol", id="a purchase plan",
        ),
    ],
)  # fmt: skip
def test_an_incompatible_image_is_refused_before_anything_is_written(
    changes: dict[str, Any], details: list[dict[str, Any]], fact: str
) -> None:
    images = {"platform": [{**BASE, "versions": [OLD, NEW]}], "details": details}
    world = World(fleet(scale_set(capacity=3, **changes), images=images), spec())
    world.rest(5 * MINUTE)
    assert world.lines()["web"] == says("ImageIncompatible", fact)
    nothing_was_written(world.azure.record)


def test_an_incompatible_gallery_image_is_recognized_by_its_definition() -> None:
    old, new = named("gallery", "1.0.9"), named("gallery", "1.0.10").replace("/web/", "/arm/")
    images = {"ids": [old, new], "details": [{"image": new, "architecture": "Arm64"}]}
    world = World(
        fleet(scale_set(capacity=3, image={"id": old}), images=images), spec(image={"gallery": {"id": new}})
    )
    world.rest(5 * MINUTE)
    assert world.lines()["web"] == says("ImageIncompatible", "arm/1.0.10")
    assert declared("gallery", "1.0.9") == {"gallery": {"id": old}}


def test_healthy_instances_with_an_unknown_power_state_neither_block_nor_bypass_gates() -> None:
    states = [{"id": str(number), "power": "unknown"} for number in (3, 7)]
    world = World(fleet(scale_set(capacity=20, instanceStates=states)), spec(rollout=SATURDAY))
    world.rest(3 * 60 * MINUTE)
    assert world.lines()["web"] == says("OutsideWindow")
    nothing_was_written(world.azure.record)
    assert world.state().seen.notes == ("Azure does not report the power state of web_3 and web_7",)
    world.merge(spec())
    world.run()
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}


@pytest.mark.parametrize("value", [None, ""], ids=["the etag is null", "the etag is empty"])
def test_nothing_is_written_to_a_scale_set_without_an_etag(value: str | None) -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    for operation in ("VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"):
        world.azure.faults.arm(operation, Malformed("etag", value), times=None)
    world.rest(10 * MINUTE)
    assert world.reasons() == ["EtagMissing"]
    nothing_was_written(world.azure.record)
    world.azure.faults.disarm()
    world.run()
    assert world.lines() == {"web": says("UpToDate", "3", NEW)}


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        pytest.param(
            Status(404, "NotFound", "The gallery image /galleries/g/images/i/versions/1.0.0 was not found."),
            says("Refused", "NotFound"),
            id="a 404 that names the image is a refusal",
        ),
        pytest.param(
            Status(409, "OperationNotAllowed", "Rolling Upgrade is already in progress for this scale set."),
            says("Conflict", "OperationNotAllowed", "Rolling"),
            id="a 409 because of a rolling upgrade is a conflict",
        ),
    ],
)
def test_a_lasting_answer_to_the_change_of_the_model_is_reported(answer: Status, line: str) -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    world.azure.faults.arm(PATCH, answer, times=None)
    world.rest(5 * MINUTE)
    assert world.lines()["web"] == line
    world.azure.faults.disarm()
    done = {"web": says("UpToDate", "3", NEW)}
    world.run(lambda: world.lines() == done, limit=60 * MINUTE)


def test_settings_of_a_scale_set_that_affect_a_rollout_are_noted() -> None:
    declared_set = scale_set(
        capacity=3, spot=True, osImageNotification="15m", terminateNotification="5m", healthGracePeriod="10m",
        instanceStates=[{"id": "1", "modelDefinitionApplied": "VirtualMachine"}],
    )  # fmt: skip
    world = World(fleet(declared_set), spec(version=OLD)).run()
    assert world.state().seen.notes == (
        "Azure notifies each instance up to 15m before replacing its OS disk (osImageNotificationProfile)",
        "Azure notifies each instance up to 5m before deleting it (terminateNotificationProfile)",
        "the Application Health extension may report Initializing for 10m (gracePeriod)",
        "the instances are Spot: Azure deallocates an instance that it evicts",
        "changed individually (modelDefinitionApplied is VirtualMachine), and upgraded only with rollout.customizedInstances: overwrite: web_1",
    )
    assert platform(OLD)["platform"]["version"] == OLD
