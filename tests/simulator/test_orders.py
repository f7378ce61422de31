"""The faults and events of a fleet file."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, get_args

import pytest

from reconciler.simulator import FleetError, Simulator, VirtualClock
from reconciler.simulator import faults as values
from reconciler.simulator.catalogue import storage_of
from reconciler.simulator.declared import schema
from reconciler.simulator.faults import Fault, Rejected
from reconciler.simulator.orders import EVENTS, FAULTS
from tests.simulator.azure import NEW, OLD, Azure, Start, fleet

CONFLICT = {"status": {"code": 409, "errorCode": "Conflict", "message": "Try again."}}
PATCH = "VirtualMachineScaleSets_Update"
LATER = timedelta(hours=1)


def with_fault(start: Start, *others: dict[str, Any], **fault: Any) -> Azure:
    return start(*others, top={"faults": [{"operation": PATCH, "fault": CONFLICT, **fault}]})


def set_tag(azure: Azure, name: str = "web") -> int:
    path = azure.sim.scale_set(name)._scale_set.id
    return azure.ask("PATCH", path, b'{"tags": {"a": "b"}}').status


@pytest.mark.parametrize(
    "fault, statuses",
    [
        pytest.param({}, [409, 200, 200, 200], id="one request"),
        pytest.param({"times": 2, "after": 1}, [200, 409, 409, 200], id="two requests after the first"),
        pytest.param({"times": "always"}, [409] * 4, id="all requests"),
        pytest.param({"times": "always", "for": "2h"}, [409, 409, 200, 200], id="requests for two hours"),
        pytest.param({"scaleSet": "api"}, [200] * 4, id="requests to another scale set"),
        pytest.param({"scaleSet": "WEB"}, [409, 200, 200, 200], id="requests to this scale set"),
        pytest.param({"operation": "*"}, [409, 200, 200, 200], id="requests of any operation"),
    ],
)
def test_a_fault_of_the_file_is_injected(start: Start, fault: dict[str, Any], statuses: list[int]) -> None:
    azure = with_fault(start, {"name": "api", "resourceGroup": "shop", "image": OLD}, **fault)
    seen = []
    for _ in statuses:
        seen.append(set_tag(azure))
        azure.clock.advance(LATER)
    assert seen == statuses


def test_a_fault_may_be_limited_to_one_scale_set(start: Start) -> None:
    azure = with_fault(start, {"name": "api", "resourceGroup": "shop", "image": OLD}, scaleSet="shop/api")
    assert [set_tag(azure, name) for name in ("web", "api", "api")] == [200, 409, 200]


KINDS = schema()["$defs"]["fault"]["properties"]["fault"]["properties"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_of_the_schema_can_be_armed(kind: str) -> None:
    for example in KINDS[kind]["examples"]:
        declared = {**fleet(), "faults": [{"operation": "*", "fault": {kind: example}}]}
        sim = Simulator.load(declared, VirtualClock())
        (armed,) = sim.faults._armed
        assert type(armed.fault).__name__.lower() == kind.lower()


EVENT_KINDS = schema()["$defs"]["event"]["properties"]["event"]["properties"]


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_every_event_of_the_schema_happens(start: Start, kind: str) -> None:
    for example in EVENT_KINDS[kind]["examples"]:
        azure = start(top={"events": [{"after": "30m", "event": {kind: example}}]}, capacity=4, spot=True)
        azure.clock.advance(LATER)


def test_every_fault_except_an_error_by_name_is_in_the_schema() -> None:
    kinds = {kind.__name__ for kind in get_args(Fault)} - {Rejected.__name__}
    assert {kind.lower() for kind in kinds} == {name.lower() for name in KINDS}
    assert set(KINDS) == set(FAULTS)
    assert set(EVENTS) == set(EVENT_KINDS)
    assert KINDS["throttled"]["properties"]["group"]["default"] == values.Throttled(LATER).group
    assert KINDS["foreignLinks"]["properties"]["host"]["default"] == values.ForeignLinks().host


@pytest.mark.parametrize(
    "order, message",
    [
        pytest.param(
            {"faults": [{"operation": "VirtualMachineScaleSets_Updat", "fault": CONFLICT}]},
            "faults[0].operation 'VirtualMachineScaleSets_Updat' is not a known operation: did you mean "
            "VirtualMachineScaleSets_Update?",
            id="an unknown operation",
        ),
        pytest.param(
            {"events": [{"after": "1m", "event": {"evict": {"scaleSet": "wev", "id": "0"}}}]},
            "events[0].event.evict.scaleSet names the scale set 'wev', which does not exist: write the name of one in the "
            "fleet, or group/name if several have it",
            id="an event of an unknown scale set",
        ),
        pytest.param(
            {"faults": [{"operation": "*", "scaleSet": "wev", "fault": CONFLICT}]},
            "faults[0].scaleSet names the scale set 'wev', which does not exist: write the name of one in the fleet, or group/name if "
            "several have it",
            id="a fault of an unknown scale set",
        ),
        pytest.param(
            {"events": [{"after": "1m", "event": {"publish": {"image": NEW, "excludeFromLatest": True}}}]},
            f"events[0].event.publish.excludeFromLatest applies only to a version in a gallery, unlike {NEW}: remove this field",
            id="an event with a property that the image cannot have",
        ),
        pytest.param(
            {"events": [{"after": "1m", "event": {"fault": {"operation": "A_B", "fault": CONFLICT}}}]},
            "events[0].event.fault.operation 'A_B' is not a known operation: write the operationId of a "
            "supported request",
            id="an event with a fault of an unknown operation",
        ),
        pytest.param(
            {"events": [{"after": "1m", "event": {}}]},
            "events[0].event is empty: write one of publish, withdraw, evict, scaleSet, fault",
            id="an empty event",
        ),
    ],
)
def test_an_invalid_fault_or_event_is_an_error(order: dict[str, Any], message: str) -> None:
    with pytest.raises(FleetError) as caught:
        Simulator.load({**fleet(), **order}, VirtualClock())
    assert str(caught.value) == message


def with_event(start: Start, kind: str, said: Any, after: str = "30m", **event: Any) -> Azure:
    return start(top={"events": [{"after": after, "event": {kind: said}, **event}]}, capacity=4, spot=True)


def patch(azure: Azure) -> Any:
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage_of(NEW)}}}
    return azure.ask("PATCH", "", json.dumps(change).encode())


@pytest.mark.parametrize(
    "kind, said, code",
    [
        pytest.param("withdraw", NEW, "PlatformImageNotFound", id="a deleted image"),
        pytest.param(
            "publish",
            {"image": NEW, "deprecation": "Deprecated"},
            "ImageVersionDeprecated",
            id="a deprecated image",
        ),
    ],
)
def test_an_event_changes_an_image(start: Start, kind: str, said: Any, code: str) -> None:
    early, late = with_event(start, kind, said), with_event(start, kind, said)
    early.clock.advance(timedelta(minutes=29))
    assert patch(early).status == 200
    late.clock.advance(timedelta(minutes=30))
    assert patch(late).json()["error"]["code"] == code


@pytest.mark.parametrize(
    "said, wanted",
    [
        pytest.param({}, "deallocated", id="the power state of the scale set"),
        pytest.param({"power": "stopped"}, "stopped", id="the power state of the event"),
    ],
)
def test_an_event_evicts_an_instance(start: Start, said: dict[str, str], wanted: str) -> None:
    azure = with_event(start, "evict", {"scaleSet": "web", "id": "2", **said})
    azure.clock.advance(LATER)
    assert [each.state[1] for each in azure.sim.scale_set("web").instances] == [
        "running", "running", wanted, "running",
    ]  # fmt: skip


def test_an_event_changes_a_scale_set(start: Start) -> None:
    states = [{"id": "0", "provisioning": "failed"}, {"id": "1", "power": "unknown", "health": "none"}]
    change = {"capacity": 5, "tags": {"a": "b"}, "image": NEW, "mode": "Automatic", "instanceStates": states}
    azure = with_event(start, "scaleSet", {"name": "web", **change})
    azure.clock.advance(timedelta(minutes=30))
    live = azure.sim.scale_set("web")
    assert (live.capacity, live.tags, live.image) == (5, {"a": "b"}, NEW)
    azure.clock.advance(LATER)
    assert azure.ask("GET", "").json()["properties"]["upgradePolicy"]["mode"] == "Automatic"
    assert {each.image for each in live.instances} == {NEW}, "the mode changes together with the image"


def test_an_event_changes_the_state_of_an_instance(start: Start) -> None:
    states = [
        {"id": "0", "provisioning": "failed"},
        {"id": "1", "power": "unknown", "health": "none"},
        {"id": "2", "health": "unhealthy", "modelDefinitionApplied": "VirtualMachine"},
        {"id": "3", "image": NEW},
    ]
    azure = with_event(start, "scaleSet", {"name": "shop/web", "instanceStates": states})
    azure.clock.advance(LATER)
    live = azure.sim.scale_set("web")
    assert [each.state[0] for each in live.instances] == ["failed", "succeeded", "succeeded", "succeeded"]
    assert live.instance("2").state == ("succeeded", "running", "unhealthy")
    assert (live.instance("3").image, live.instance("3").is_current) == (NEW, False)
    view = azure.ask("GET", "virtualMachines/1/instanceView").json()
    assert (view["statuses"][1]["code"], "vmHealth" in view) == ("PowerState/unknown", False)
    row = azure.ask("GET", "virtualMachines/2").json()
    assert row["properties"]["modelDefinitionApplied"] == "VirtualMachine"


def test_an_event_changes_the_reported_state_of_a_scale_set(start: Start) -> None:
    azure = with_event(
        start, "scaleSet", {"name": "web", "provisioningState": "Migrating", "allocationLimit": 4}
    )
    azure.clock.advance(LATER)
    assert azure.sim.scale_set("web").provisioning_state == "Migrating"
    azure.sim.scale_set("web").scale_to(6)
    azure.clock.advance(LATER)
    assert len(azure.sim.scale_set("web").instances) == 4


def test_an_event_attaches_machines(start: Start) -> None:
    event = {"scaleSet": {"name": "web", "attached": [{"name": "sql-1"}]}}
    azure = start(top={"events": [{"after": "30m", "event": event}]}, orchestration="Flexible", capacity=1)
    azure.clock.advance(LATER)
    assert [each.id for each in azure.sim.scale_set("web").instances][1:] == ["sql-1"]


def test_an_event_begins_a_fault(start: Start) -> None:
    azure = with_event(
        start, "fault", {"operation": PATCH, "fault": CONFLICT, "times": "always", "for": "1h"}
    )
    seen = []
    for _ in range(4):
        seen.append(set_tag(azure))
        azure.clock.advance(timedelta(minutes=40))
    assert seen == [200, 409, 409, 200]


def test_an_event_may_repeat(start: Start) -> None:
    azure = with_event(start, "scaleSet", {"name": "web", "tags": {"a": "b"}}, every="1h")
    for _ in range(3):
        azure.sim.scale_set("web").set_tags({"a": None})
        assert azure.sim.scale_set("web").tags == {}
        azure.clock.advance(LATER)
        assert azure.sim.scale_set("web").tags == {"a": "b"}


@pytest.mark.parametrize(
    "kind, said",
    [
        pytest.param("evict", {"scaleSet": "web", "id": "9"}, id="an unknown instance"),
        pytest.param("withdraw", f"{OLD}1", id="an unknown image"),
        pytest.param("scaleSet", {"name": "web", "image": f"{OLD}1"}, id="an image that Azure rejects"),
    ],
)
def test_an_impossible_event_is_skipped(start: Start, kind: str, said: Any) -> None:
    azure = with_event(start, kind, said)
    before = azure.ask("GET", "").json()
    azure.clock.advance(LATER)
    assert azure.ask("GET", "").json() == before


def test_an_instance_flaps_from_the_start(start: Start) -> None:
    azure = start(capacity=4, flapping=[{"id": "3", "healthy": "15m", "unhealthy": "5m"}])
    seen = []
    for _ in range(4):
        seen.append(azure.sim.scale_set("web").instance("3").state[2])
        azure.clock.advance(timedelta(minutes=5))
    assert seen == ["healthy", "healthy", "healthy", "unhealthy"]
