"""Spot instances: evicted, deleted and restored."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.simulator.life import EvictedPower
from tests.simulator.azure import NEW, Start


def test_an_evicted_instance_stays_and_counts_in_the_capacity(start: Start) -> None:
    azure = start(capacity=4, spot=True)
    live = azure.sim.scale_set("web")
    before = live.etag
    live.instance("1").evict()
    azure.wait(3600)
    assert live.instance("1").state == ("succeeded", "deallocated", "unknown")
    assert (live.capacity, len(live.instances), live.etag != before) == (4, 4, True)


def test_an_evicted_instance_may_be_deleted_and_lowers_capacity(start: Start) -> None:
    azure = start(capacity=4, spot=True, evictionPolicy="Delete")
    live = azure.sim.scale_set("web")
    live.instance("1").evict()
    answer = azure.ask("GET", "virtualMachines/1")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "NotFound")
    assert (live.capacity, len(live.instances)) == (3, 3)


def test_a_restore_policy_restarts_an_instance_on_its_image(start: Start) -> None:
    azure = start(capacity=4, spot=True, spotRestore="1h")
    policy = azure.ask("GET", "").json()["properties"]["spotRestorePolicy"]
    assert policy == {"enabled": True, "restoreTimeout": "PT60M"}
    one = azure.sim.scale_set("web").instance("1")
    azure.patch_image(NEW)
    image = one.image
    one.evict()
    azure.wait(120)
    assert (one.state, one.image) == (("succeeded", "running", "healthy"), image)


def test_no_instance_is_restored_after_the_timeout(start: Start) -> None:
    azure = start(capacity=4, spot=True, spotRestore="10s")
    one = azure.sim.scale_set("web").instance("1")
    one.evict()
    azure.wait(3600)
    assert one.state[1] == "deallocated"


def test_an_instance_that_changed_after_its_eviction_is_not_restored(start: Start) -> None:
    azure = start(capacity=4, spot=True, spotRestore="1h")
    one = azure.sim.scale_set("web").instance("1")
    one.evict()
    azure.patch_image(NEW)
    azure.upgrade("1").result()
    azure.wait(3600)
    assert (one.state[1], one.image) == ("deallocated", NEW)


@pytest.mark.parametrize(
    "web, power, wanted",
    [
        pytest.param({}, None, "deallocated", id="deallocated by default"),
        pytest.param({}, "stopped", "stopped", id="stopped by this eviction"),
        pytest.param(
            {"evictedPowerState": "stopped"}, None, "stopped", id="stopped by the scale set's setting"
        ),
        pytest.param(
            {"evictedPowerState": "stopped"}, "deallocated", "deallocated", id="deallocated by this eviction"
        ),
    ],
)
def test_an_eviction_may_end_as_stopped(
    start: Start, web: dict[str, Any], power: EvictedPower | None, wanted: str
) -> None:
    azure = start(capacity=4, spot=True, **web)
    one = azure.sim.scale_set("web").instance("1")
    one.evict(power)
    azure.wait(3600)
    assert one.state == ("succeeded", wanted, "unknown")


def test_a_stopped_instance_is_restored(start: Start) -> None:
    azure = start(capacity=4, spot=True, spotRestore="1h", evictedPowerState="stopped")
    one = azure.sim.scale_set("web").instance("1")
    one.evict()
    assert one.state[1] == "stopped"
    azure.wait(120)
    assert one.state == ("succeeded", "running", "healthy")
