"""What a scale set and its instances say of themselves, for people."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.notes import notes
from reconciler.rollout.observed import Availability, Verdict
from tests.build import NEW, instance, model


@pytest.mark.parametrize(
    ("of_model", "of_instance", "note"),
    [
        pytest.param(
            {"os_image_notice": timedelta(minutes=15)},
            {},
            "Azure notifies each instance up to 15m before replacing its OS disk (osImageNotificationProfile)",
            id="a notice before the OS image changes",
        ),
        pytest.param(
            {"terminate_notice": timedelta(minutes=5)},
            {},
            "Azure notifies each instance up to 5m before deleting it (terminateNotificationProfile)",
            id="a notice before an instance is deleted",
        ),
        pytest.param(
            {"health_grace": timedelta(minutes=10)},
            {},
            "the Application Health extension may report Initializing for 10m (gracePeriod)",
            id="a grace period",
        ),
        pytest.param(
            {"is_spot": True, "eviction_policy": "Deallocate"},
            {},
            "the instances are Spot: Azure deallocates an instance that it evicts",
            id="Spot, deallocated",
        ),
        pytest.param(
            {"is_spot": True, "eviction_policy": "Delete"},
            {},
            "the instances are Spot: Azure deletes an instance that it evicts",
            id="Spot, deleted",
        ),
        pytest.param(
            {},
            {"is_attached": True},
            "attached by hand and left unchanged: web_0",
            id="a machine attached by hand",
        ),
        pytest.param(
            {},
            {"has_own_model": True},
            "changed individually (modelDefinitionApplied is VirtualMachine), and upgraded only with rollout.customizedInstances: overwrite: web_0",
            id="a model of its own",
        ),
        pytest.param(
            {}, {"power": "unknown"}, "Azure does not report the power state of web_0", id="power unknown"
        ),
        pytest.param(
            {}, {"power": ""}, "Azure does not report the power state of web_0", id="no power state"
        ),
        pytest.param(
            {},
            {"skips_upgrade": True},
            "to be skipped by upgrades (SkipUpgrade, reported by Application Health): web_0",
            id="an application that asks to be skipped",
        ),
        pytest.param(
            {},
            {"upgrade_phase": 2},
            "Application Health reports the upgrade phases 2",
            id="an order that applications give",
        ),
    ],
)
def test_a_note(of_model: dict[str, Any], of_instance: dict[str, Any], note: str) -> None:
    assert notes(model(**of_model), [instance(0, **of_instance)]) == (note,)


@pytest.mark.parametrize(
    ("availability", "start"),
    [
        pytest.param(Availability(NEW, Verdict.NOT_FOUND), "scale-out and repairs will fail: ", id="deleted"),
        pytest.param(Availability(NEW, Verdict.DEPRECATED), "scale-out and repairs will fail: ", id="deprecated"),
        pytest.param(Availability(NEW, Verdict.NOT_REPLICATED), "scale-out and repairs will fail: ", id="taken out of the region"),
        pytest.param(Availability(NEW, Verdict.AVAILABLE), None, id="available"),
        pytest.param(Availability(NEW, Verdict.UNCHECKED, "Azure is down"), None, id="the catalogue could not be read"),
        pytest.param(None, None, id="nobody asked"),
    ],
)  # fmt: skip
def test_an_image_that_creates_no_instances_any_more_is_noted_first(
    availability: Availability | None, start: str | None
) -> None:
    found = notes(model(image=NEW, is_spot=True), [instance(0)], availability)
    assert len(found) == (1 if start is None else 2)
    assert found[0].startswith(start or "the instances are Spot")


def test_of_a_plain_scale_set_there_is_nothing_to_note() -> None:
    assert notes(model(), [instance(0), instance(1, provisioning="", power="")]) == ()
