"""What a scale set and its instances say of themselves, for people."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.notes import notes
from tests.build import instance, model


@pytest.mark.parametrize(
    ("of_model", "of_instance", "note"),
    [
        pytest.param(
            {"os_image_notice": timedelta(minutes=15)},
            {},
            "Azure notifies each instance up to 15m before it replaces the OS disk (osImageNotificationProfile)",
            id="a notice before the OS image changes",
        ),
        pytest.param(
            {"terminate_notice": timedelta(minutes=5)},
            {},
            "Azure notifies each instance up to 5m before it deletes it (terminateNotificationProfile)",
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
            "the instances are Spot: Azure deallocates those it evicts",
            id="Spot, deallocated",
        ),
        pytest.param(
            {"is_spot": True, "eviction_policy": "Delete"},
            {},
            "the instances are Spot: Azure deletes those it evicts",
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
            "changed individually, which an upgrade reverts (modelDefinitionApplied is VirtualMachine): web_0",
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
            "upgrades are to skip them (SkipUpgrade, reported by Application Health): web_0",
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


def test_of_a_plain_scale_set_there_is_nothing_to_note() -> None:
    assert notes(model(), [instance(0), instance(1, provisioning="", power="")]) == ()
