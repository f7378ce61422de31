"""What Azure says of a scale set beyond its image and health: what a rollout makes of it, and what `why` shows."""

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
    ("of_set", "details", "told"),
    [
        pytest.param(
            {}, [version(OLD, hyperVGeneration="V1"), version(NEW, hyperVGeneration="V2")], "Hyper-V generation V2",
            id="another generation",
        ),
        pytest.param({}, [version(NEW, architecture="Arm64")], "it is made for Arm64", id="another architecture"),
        pytest.param({"diskSizeGB": 30}, [version(NEW, diskSizeGB=64)], "it needs an OS disk of 64 GB", id="a larger disk"),
        pytest.param(
            {}, [version(NEW, securityType="TrustedLaunch")], "its security type is TrustedLaunch",
            id="another security type",
        ),
        pytest.param(
            {}, [version(NEW, plan={"publisher": "contoso", "product": "firewall", "name": "byol"})],
            "it requires the purchase plan contoso:firewall:byol", id="a purchase plan",
        ),
    ],
)  # fmt: skip
def test_an_image_that_does_not_fit_is_found_out_before_azure_refuses_it(
    of_set: dict[str, Any], details: list[dict[str, Any]], told: str
) -> None:
    images = {"platform": [{**BASE, "versions": [OLD, NEW]}], "details": details}
    world = World(fleet(scale_set(capacity=3, **of_set), images=images), spec())
    world.rest(5 * MINUTE)
    assert world.lines()["web"] == says("ImageIncompatible")
    assert told in world.lines()["web"]
    nothing_was_written(world.azure.record)


def test_a_gallery_image_that_does_not_fit_is_told_by_its_definition() -> None:
    old, new = named("gallery", "1.0.9"), named("gallery", "1.0.10").replace("/web/", "/arm/")
    images = {"ids": [old, new], "details": [{"image": new, "architecture": "Arm64"}]}
    world = World(
        fleet(scale_set(capacity=3, image={"id": old}), images=images), spec(image={"gallery": {"id": new}})
    )
    world.rest(5 * MINUTE)
    assert world.lines()["web"] == says("ImageIncompatible", "arm/1.0.10")
    assert declared("gallery", "1.0.9") == {"gallery": {"id": old}}


def test_instances_of_unknown_power_that_are_healthy_are_in_nobodys_way_and_pass_no_gate() -> None:
    states = [{"id": str(number), "power": "unknown"} for number in (3, 7)]
    world = World(fleet(scale_set(capacity=20, instanceStates=states)), spec(rollout=SATURDAY))
    world.rest(3 * 60 * MINUTE)
    assert world.lines()["web"] == says("OutsideWindow")
    nothing_was_written(world.azure.record)
    assert world.state().seen.notes == ("Azure does not report the power state of web_3, web_7",)
    world.merge(spec())
    world.run()
    assert world.lines() == {"web": says("UpToDate", "20", NEW)}


@pytest.mark.parametrize("value", [None, ""], ids=["null", "empty"])
def test_without_an_etag_nothing_is_written_and_why_is_told(value: str | None) -> None:
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
            id="a 404 that names the image is a refusal, in Azure's words",
        ),
        pytest.param(
            Status(409, "OperationNotAllowed", "Rolling Upgrade is already in progress for this scale set."),
            says("Conflict", "OperationNotAllowed", "Rolling"),
            id="a 409 that passes is a wait, whatever its code",
        ),
    ],
)
def test_what_azure_answers_to_a_change_of_the_model(answer: Status, line: str) -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    world.azure.faults.arm(PATCH, answer, times=None)
    world.rest(5 * MINUTE)
    assert world.lines()["web"] == line
    world.azure.faults.disarm()
    done = {"web": says("UpToDate", "3", NEW)}
    world.run(lambda: world.lines() == done, limit=60 * MINUTE)


def test_what_a_scale_set_says_of_itself_is_noted() -> None:
    told = scale_set(
        capacity=3, spot=True, osImageNotification="15m", terminateNotification="5m", healthGracePeriod="10m",
        instanceStates=[{"id": "1", "modelDefinitionApplied": "VirtualMachine"}],
    )  # fmt: skip
    world = World(fleet(told), spec(version=OLD)).run()
    assert world.state().seen.notes == (
        "Azure warns each instance up to 15m before it replaces the OS disk (osImageNotificationProfile)",
        "Azure warns each instance up to 5m before it deletes it (terminateNotificationProfile)",
        "the Application Health extension may report Initializing for 10m (gracePeriod)",
        "the instances are Spot: Azure deallocates those it evicts",
        "changed one by one (modelDefinitionApplied is VirtualMachine), and an upgrade reverts that: web_1",
    )
    assert platform(OLD)["platform"]["version"] == OLD
