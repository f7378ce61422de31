"""What scale sets and instances report of themselves, where Azure's own word may differ from what goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.azure import NEW, Azure, Start


def state(azure: Azure) -> Any:
    return azure.ask("GET", "").json()["properties"]["provisioningState"]


@pytest.mark.parametrize("during", ["Updating", "Succeeded"])
def test_the_state_during_a_manual_upgrade_is_the_one_declared(start: Start, during: str) -> None:
    azure = start(top={"provisioningStateDuringUpgrade": during})
    azure.patch_image(NEW)
    azure.upgrade("1", polling=False)
    assert state(azure) == during
    assert azure.sim.scale_set("web").instance("1").state[0] == "updating"
    azure.wait(600)
    assert state(azure) == "Succeeded"


def test_any_other_write_shows_even_where_a_manual_upgrade_does_not(start: Start) -> None:
    azure = start(top={"provisioningStateDuringUpgrade": "Succeeded"})
    azure.patch_image(NEW)
    azure.upgrade("1", polling=False)
    azure.ask("PATCH", "", b'{"tags": {"a": "b"}}')
    assert state(azure) == "Updating"


@pytest.mark.parametrize("reported", ["Creating", "Updating", "Migrating"])
def test_a_scale_set_may_report_a_state_for_days(start: Start, reported: str) -> None:
    azure = start(provisioningState=reported)
    azure.patch_image(NEW)
    azure.wait(3 * 24 * 3600)
    assert state(azure) == reported
    assert {each.state[0] for each in azure.sim.scale_set("web").instances} == {"succeeded"}
    azure.sim.scale_set("web").report(None)
    assert state(azure) == "Succeeded"


def test_a_failed_scale_set_recovers_with_the_next_write(start: Start) -> None:
    azure = start(provisioningState="Failed")
    assert state(azure) == "Failed"
    azure.patch({"tags": {"a": "b"}})
    assert state(azure) == "Succeeded"
