"""A field of another type is a malformed answer wherever it stands, and never another error."""

import copy
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure import arm
from reconciler.azure.budget import Charge, Share
from reconciler.azure.compute import Compute
from reconciler.azure.failure import Malformed
from reconciler.azure.flexible import instance_rows
from reconciler.azure.session import Session
from reconciler.rollout.step import Upgrade
from reconciler.simulator import ForeignLinks, Page, Simulator, VirtualClock
from reconciler.simulator import Malformed as OfAnotherType
from tests.azure.conftest import IMAGE, TARGET
from tests.stories.world import NEW, World, fleet, scale_set, spec
from tests.token import Token

ODD: tuple[Any, ...] = (None, True, 7, 1.5, "odd", [], ["odd"], [None], {}, {"odd": 1})
RICH = scale_set(
    zones=["1", "2"],
    health="extension",
    spot=True,
    tags={"team": "web"},
    securityType="TrustedLaunch",
    capacity=3,
)


def session(azure: Simulator) -> Session:
    return Session(credential=Token(), transport=azure.transport(), now=azure.clock.now)


def model_body() -> dict[str, Any]:
    """A scale set as the simulator answers it."""
    azure = Simulator.load(fleet(RICH), VirtualClock())
    with session(azure).call(Charge.GET, TARGET.id, Share.ROLLOUT) as call:
        return dict(call.get(TARGET.id))


def instance_row() -> dict[str, Any]:
    """The first of its instances, as listed."""
    azure = Simulator.load(fleet(RICH), VirtualClock())
    with session(azure).call(Charge.HIGH_COST_GET, TARGET.id, Share.ROLLOUT) as call:
        return dict(next(call.rows(f"{TARGET.id}/virtualMachines", **{"$expand": "instanceView"})))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a JSON document stands."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, inner in inside:
        yield from places(inner, (*path, key))


def replaced(document: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = copy.deepcopy(document)
    inner = changed
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = odd
    return changed


@pytest.mark.parametrize(
    ("read", "body"),
    [
        pytest.param(arm.model, model_body, id="a scale set"),
        pytest.param(arm.instance, instance_row, id="an instance"),
    ],
)
def test_a_value_of_another_type_is_malformed_or_of_no_interest(
    read: Callable[[Any], object], body: Callable[[], Any]
) -> None:
    document, malformed = body(), list[str]()
    read(document)
    for place in places(document):
        for odd in ODD:
            try:
                read(replaced(document, place, odd))
            except Malformed as error:
                malformed.append(str(error))
    assert len(malformed) > 100
    assert max(map(len, malformed)) < 200


@pytest.mark.parametrize("odd", [each for each in ODD if not isinstance(each, dict)], ids=repr)
def test_a_row_of_a_flexible_set_that_is_no_object_is_malformed(odd: Any) -> None:
    with pytest.raises(Malformed):
        instance_rows([odd], [], "web", None)
    with pytest.raises(Malformed):
        instance_rows([], [odd], "web", None)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(OfAnotherType("sku.capacity", "many", name="odd"), id="a capacity that is a text"),
        pytest.param(
            OfAnotherType("properties.virtualMachineProfile", ["x"], name="odd"),
            id="a profile that is a list",
        ),
        pytest.param(OfAnotherType("tags", "x", name="odd"), id="tags that are a text"),
        pytest.param(OfAnotherType("", 7, name="odd"), id="a row that is a number"),
    ],
)
def test_one_row_of_another_type_costs_its_own_scale_set_only(fault: OfAnotherType) -> None:
    world = World(fleet(scale_set("odd", capacity=2), scale_set("web", capacity=5)), spec("odd"), spec("web"))
    for operation in ("VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"):
        world.azure.faults.arm(operation, fault, times=None)
    world.rest(timedelta(minutes=30))
    assert world.lines()["web"] == f"UpToDate: all 5 instances run {NEW}"
    assert world.lines()["odd"].startswith("MalformedResponse: Azure sent ")
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["odd"] == f"UpToDate: both instances run {NEW}"


@pytest.mark.parametrize(
    "body", ["", "<html>Sign in</html>", "[]", "7"], ids=["nothing", "HTML", "a list", "a number"]
)
@pytest.mark.parametrize(
    "operation",
    [
        "VirtualMachineScaleSets_ListAll",
        "VirtualMachineScaleSets_Get",
        "VirtualMachineScaleSetVMs_List",
        "VirtualMachineScaleSetRollingUpgrades_GetLatest",
        "VirtualMachineImages_Get",
        "VirtualMachineScaleSets_Update",
        "VirtualMachineScaleSets_UpdateInstances",
        "Operations_Get",
    ],
)
def test_a_200_without_a_json_object_delays_a_rollout_and_no_more(operation: str, body: str) -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm(operation, Page(code=200, body=body), times=2)
    world.run()
    assert world.lines() == {"web": f"UpToDate: all 5 instances run {NEW}"}
    assert "Bug" not in world.reasons()


def test_a_next_page_of_another_host_is_not_asked() -> None:
    world = World(fleet(scale_set(capacity=5), page=2), spec())
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", ForeignLinks(), times=None)
    world.rest(timedelta(minutes=5))
    assert world.lines()["web"] == (
        "MalformedResponse: Azure sent an address of another host, which is not asked: "
        "https://arm.elsewhere.test"
    )


def test_an_operation_of_another_host_is_not_asked(azure: Simulator) -> None:
    door = Compute(session(azure))
    azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", ForeignLinks())
    url = door.take(TARGET, Upgrade(("0",), IMAGE))
    assert url.startswith("https://arm.elsewhere.test/")
    asked = len(azure.record.requests)
    with pytest.raises(Malformed, match="an address of another host, which is not asked"):
        door.operation(url, TARGET)
    assert len(azure.record.requests) == asked


def test_an_operation_that_leads_elsewhere_is_told_and_holds_a_rollout_up_for_five_minutes() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm("VirtualMachineScaleSets_Update", ForeignLinks())
    world.rest(timedelta(minutes=4))
    assert "VirtualMachineScaleSets_UpdateInstances" not in world.requests()
    assert world.lines()["web"].startswith("MalformedResponse: ")
    world.run()
    assert world.lines()["web"].startswith("UpToDate: ")


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://management.azure.com/subscriptions/s", True),
        ("https://management.azure.com:443/subscriptions/s", True),
        ("https://MANAGEMENT.azure.com/subscriptions/s", True),
        ("/subscriptions/s", True),
        ("http://management.azure.com/subscriptions/s", False),
        ("https://management.azure.com:8443/subscriptions/s", False),
        ("https://management.azure.com.elsewhere.test/", False),
        ("https://management.azure.com@elsewhere.test/", False),
        ("//elsewhere.test/", False),
    ],
)
def test_whose_address_it_is(url: str, *, is_own: bool) -> None:
    assert Session(credential=Token()).is_own(url) is is_own
