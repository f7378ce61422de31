"""The platform's own rolling upgrade."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.simulator.azure import BAD, NEW, OLD, Azure, Start


def status(azure: Azure) -> tuple[str, int]:
    body = azure.ask("GET", "rollingUpgrades/latest").json()["properties"]
    return body["runningStatus"]["code"], body["progress"]["successfulInstanceCount"]


def test_there_is_no_rolling_upgrade_before_the_first_one(azure: Azure) -> None:
    with pytest.raises(ResourceNotFoundError):
        azure.client.virtual_machine_scale_set_rolling_upgrades.get_latest("shop", "web")


def test_a_patch_in_rolling_mode_ends_with_its_rolling_upgrade(start: Start) -> None:
    azure = start(mode="Rolling")
    azure.patch_image(NEW)
    assert status(azure) == ("Completed", 20)
    assert set(azure.sim.record.images("web").values()) == {NEW}
    assert azure.sim.record.max_unavailable_domains("web", cause="rollingupgrade") == 1


def test_an_instance_on_the_latest_model_counts_as_upgraded(start: Start) -> None:
    azure = start(image=f"{OLD.rpartition(':')[0]}:latest", capacity=3)
    azure.sim.scale_set("web").start_rolling_upgrade()
    azure.wait(60)
    assert status(azure) == ("Completed", 3)


def test_a_rolling_upgrade_stops_at_an_unhealthy_batch(start: Start) -> None:
    azure = start(mode="Rolling")
    with pytest.raises(HttpResponseError) as caught:
        azure.patch_image(BAD)
    assert caught.value.error is not None
    assert caught.value.error.code == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    assert status(azure) == ("Faulted", 0)
    assert list(azure.sim.record.images("web").values()).count(BAD) == 4


def test_a_rolling_upgrade_rejects_other_upgrades_and_can_be_cancelled(start: Start) -> None:
    azure = start(mode="Manual")
    azure.patch_image(NEW)
    azure.sim.scale_set("web").start_rolling_upgrade()
    azure.wait(10)
    assert status(azure)[0] == "RollingForward"
    with pytest.raises(ResourceExistsError):
        azure.upgrade("19", polling=False)
    azure.client.virtual_machine_scale_set_rolling_upgrades.begin_cancel("shop", "web").result()
    azure.wait(600)
    assert status(azure)[0] == "Cancelled"
    assert list(azure.sim.record.images("web").values()).count(NEW) == 4


def test_a_cancellation_without_a_rolling_upgrade_is_a_conflict(azure: Azure) -> None:
    with pytest.raises(ResourceExistsError, match="no ongoing Rolling Upgrade"):
        azure.client.virtual_machine_scale_set_rolling_upgrades.begin_cancel("shop", "web")


def test_an_os_upgrade_brings_all_instances_to_the_newest_version(start: Start) -> None:
    sku = OLD.rpartition(":")[0]
    azure = start(image=f"{sku}:latest")
    azure.sim.publish(f"{sku}:24.04.202604010")
    azure.client.virtual_machine_scale_set_rolling_upgrades.begin_start_os_upgrade("shop", "web").result()
    assert set(azure.sim.record.images("web").values()) == {f"{sku}:24.04.202604010"}


def test_an_os_upgrade_of_a_pinned_image_is_rejected(azure: Azure) -> None:
    with pytest.raises(ResourceExistsError, match="version set to latest"):
        azure.client.virtual_machine_scale_set_rolling_upgrades.begin_start_os_upgrade("shop", "web")


def test_rolling_mode_needs_a_health_source(start: Start) -> None:
    azure = start(health="none")
    answer = azure.ask("PATCH", "", b'{"properties":{"upgradePolicy":{"mode":"Rolling"}}}')
    assert (answer.status, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_rolling_mode_shows_its_policy(azure: Azure) -> None:
    answer = azure.ask("PATCH", "", b'{"properties":{"upgradePolicy":{"mode":"Rolling"}}}')
    assert (
        answer.json()["properties"]["upgradePolicy"]["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 20
    )
