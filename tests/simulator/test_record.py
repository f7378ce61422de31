"""The record has the exact times at which instances are unavailable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.core.rest import HttpRequest

from reconciler.simulator import ConnectionLost, Domain, Event, InstanceSnapshot, Record, Stale, Timeout
from reconciler.simulator.clock import MONDAY_MORNING
from reconciler.simulator.record import EventKind
from tests.simulator.azure import NEW, OLD, SET, Azure, Start


def domain(number: int, zone: str | None = None, group: str = "g") -> Domain:
    return Domain(zone, group, number, number)


def record(*events: tuple[float, EventKind, str, Domain], cause: str = "manualupgrade") -> Record:
    made = Record(lambda _: {})
    for second, kind, instance_id, where in events:
        made.add(
            Event(MONDAY_MORNING + timedelta(seconds=second), kind, "web", instance_id, where, cause, "shop")
        )
    return made


ZERO, ONE = domain(0), domain(1)


@pytest.mark.parametrize(
    "events, most",
    [
        pytest.param([], 0, id="no events"),
        pytest.param([(0, "unavailable", "0", ZERO)], 1, id="an instance stays unavailable"),
        pytest.param(
            [(0, "unavailable", "0", ZERO), (1, "unavailable", "5", ZERO)],
            1,
            id="two instances of one domain are one domain",
        ),
        pytest.param(
            [(0, "unavailable", "0", ZERO), (1, "unavailable", "1", ONE)], 2, id="two domains overlap"
        ),
        pytest.param(
            [(0, "unavailable", "0", ZERO), (5, "available", "0", ZERO), (5, "unavailable", "1", ONE)],
            1,
            id="one is available at the instant another becomes unavailable",
        ),
        pytest.param(
            [(0, "unavailable", "0", ZERO), (5, "unavailable", "1", ONE), (5, "available", "0", ZERO)],
            1,
            id="one is available at the instant another becomes unavailable, recorded in reverse",
        ),
        pytest.param(
            [(0, "unavailable", "0", ZERO), (5.000001, "available", "0", ZERO), (5, "unavailable", "1", ONE)],
            2,
            id="a microsecond of overlap is overlap",
        ),
        pytest.param(
            [(0, "unavailable", "0", ZERO), (1, "deleted", "0", ZERO), (2, "unavailable", "1", ONE)],
            1,
            id="a deleted instance is not unavailable",
        ),
        pytest.param(
            [(0, "unavailable", "0", domain(0, "1")), (0, "unavailable", "1", domain(0, "2"))],
            2,
            id="the same number in two zones is two domains",
        ),
        pytest.param(
            [(0, "unavailable", "0", domain(0)), (0, "unavailable", "100", domain(0, group="h"))],
            2,
            id="the same number in two placement groups is two domains",
        ),
    ],
)
def test_the_maximum_of_unavailable_domains(
    events: list[tuple[float, EventKind, str, Domain]], most: int
) -> None:
    assert record(*events).max_unavailable_domains("web") == most


def test_only_absences_of_the_given_cause_count() -> None:
    made = record((0, "unavailable", "0", ZERO), cause="unhealthy")
    assert made.max_unavailable_domains("web") == 0
    assert made.max_unavailable_domains("web", cause="unhealthy") == 1
    assert made.max_unavailable_domains("web", cause=None) == 1


def test_the_key_of_a_domain_can_be_given() -> None:
    made = record((0, "unavailable", "0", domain(0, "1")), (0, "unavailable", "1", domain(0, "2")))
    assert made.max_unavailable_domains("web", key=lambda where: where.update_domain) == 1


def test_instances_unavailable_at_a_moment() -> None:
    made = record((0, "unavailable", "0", ZERO), (2, "unavailable", "1", ONE), (4, "available", "0", ZERO))
    away = [
        made.unavailable_at("shop/web", MONDAY_MORNING + timedelta(seconds=second)) for second in (0, 3, 4)
    ]
    assert away == [{"0"}, {"0", "1"}, {"1"}]


def test_scale_sets_of_one_name_are_distinguished_by_group() -> None:
    made = record((0, "unavailable", "0", ZERO))
    assert made.max_unavailable_domains("shop/web") == 1
    assert made.max_unavailable_domains("other/web") == 0


def test_an_exchange_has_its_fault(azure: Azure) -> None:
    stale, silence = Stale(timedelta(seconds=60)), Timeout(lost_answer=True)
    azure.sim.faults.arm("VirtualMachineScaleSets_Get", stale)
    azure.sim.faults.arm("VirtualMachineScaleSets_UpdateInstances", silence)
    azure.ask("GET", "")
    azure.ask("GET", "")
    with pytest.raises(ConnectionLost):
        azure.ask("POST", "manualupgrade", b'{"instanceIds":["0"]}')
    assert [(each.status, each.fault) for each in azure.sim.record.requests] == [
        (200, stale),
        (200, None),
        (0, silence),
    ]


def test_a_write_is_recorded_with_the_scale_set_before_it(start: Start) -> None:
    states = [{"id": "1", "power": "deallocated"}, {"id": "2", "health": "unhealthy"}]
    azure = start(capacity=5, instanceStates=states, protected=["4"], tags={"team": "web"})
    azure.patch_image(NEW)
    azure.ask("POST", "manualupgrade", b'{"instanceIds":["0"]}')
    azure.sim.scale_set("web").scale_to(4)
    azure.ask("PATCH", "", b"{}")
    patch, upgrade, last = (each.before for each in azure.sim.record.requests if each.method != "GET")
    assert patch is not None
    assert upgrade is not None
    assert last is not None
    assert (patch.image, upgrade.image, last.image) == (OLD, NEW, NEW)
    assert patch.tags == {"team": "web"}
    assert [each.is_behind for each in patch.instances.values()] == [False] * 5
    places = {each.id: each.domain for each in azure.sim.scale_set("web").instances}
    assert upgrade.instances == {
        "0": InstanceSnapshot("serving", places["0"], OLD, is_behind=True, is_protected=False),
        "1": InstanceSnapshot("deallocated", places["1"], OLD, is_behind=True, is_protected=False),
        "2": InstanceSnapshot("unavailable", places["2"], OLD, is_behind=True, is_protected=False),
        "3": InstanceSnapshot("serving", places["3"], OLD, is_behind=True, is_protected=False),
        "4": InstanceSnapshot("serving", places["4"], OLD, is_behind=True, is_protected=True),
    }
    assert [each.status for each in last.instances.values()] == [
        "unavailable",
        "deallocated",
        "unavailable",
        "deleting",
        "serving",
    ]


def test_reads_and_writes_to_missing_resources_have_no_snapshot(azure: Azure) -> None:
    azure.ask("GET", "")
    assert azure.ask("PATCH", SET.replace("/web", "/other"), b"{}").status == 404
    assert [each.before for each in azure.sim.record.requests] == [None, None]


def test_each_transport_is_a_client_of_its_own(azure: Azure) -> None:
    url = f"https://arm.test{SET}?api-version=2026-04-01"
    for transport in (azure.sim.transport(), azure.sim.transport()):
        transport.send(HttpRequest("GET", url))
    azure.ask("GET", "")
    assert [each.client for each in azure.sim.record.requests] == [2, 3, 0]
