"""A field of another type always makes a malformed response, and never another error."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure import arm
from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.compute import Compute, Scope
from reconciler.azure.failure import MalformedResponse
from reconciler.azure.flexible import instance_rows
from reconciler.azure.inventory import inventory
from reconciler.azure.session import Session
from reconciler.rollout.step import Upgrade
from reconciler.simulator import ForeignLinks, Malformed, Page, Simulator, VirtualClock
from tests.azure.conftest import IMAGE, TARGET
from tests.messages import says
from tests.stories.test_images import world_of
from tests.stories.world import NEW, SUBSCRIPTION, World, fleet, scale_set, spec
from tests.token import Token


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


OF_ANOTHER_TYPE: tuple[Any, ...] = (None, True, 7, 1.5, "odd", [], ["odd"], [None], {}, {"odd": 1})
EXTREME: Mapping[str, Any] = {
    "below zero": -1,
    "beyond 64 bits": 2**70,
    "beyond a float": 10**400,
    "more digits than Python writes": 10**5000,
    "infinite": math.inf,
    "no number": math.nan,
    "digits": "9" * 20,
    "more digits than Python reads": "9" * 5000,
    "digits of another script": "\u0663\u00b2",
    "hours": f"PT{'9' * 14}H",
    "minutes": f"PT{'9' * 5000}M",
    "seconds": f"PT{'9' * 400}S",
    "year 9999": "9999-12-31T23:59:59.999999+00:00",
    "year 0000": "0000-01-01T00:00:00Z",
    "year 1, east of Greenwich": "0001-01-01T00:00:00+14:00",
    "a long text": "x" * 100_000,
    "a surrogate": "\ud800",
    "JSON too deep": "[" * 200_000,
    "a deep list": nested(100_000),
    "an object of everything": {
        "gracePeriod": "9" * 20,
        "code": "9" * 5000,
        "notBeforeTimeout": "PT9999999999H",
    },
}
ODD: tuple[Any, ...] = (*OF_ANOTHER_TYPE, *EXTREME.values())
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


def model_body(*, grace: Any = 600, notice: Any = "PT15M") -> dict[str, Any]:
    """A scale set as the simulator answers it, with all that is read of one."""
    azure = Simulator.load(fleet(RICH), VirtualClock())
    with session(azure).call(OperationClass.GET, TARGET.id, Priority.ROLLOUT) as call:
        body = dict(call.get(TARGET.id))
    profile = body["properties"]["virtualMachineProfile"]
    (extension,) = profile["extensionProfile"]["extensions"]
    extension["properties"]["settings"] = {"gracePeriod": grace}
    profile["scheduledEventsProfile"] = {
        "osImageNotificationProfile": {"enable": True, "notBeforeTimeout": notice}
    }
    return body


def instance_row(*, message: str = '{"rollingUpgrade": {"PhaseOrderingNumber": 2}}') -> dict[str, Any]:
    """The first of its instances, as listed, with all that is read of one."""
    azure = Simulator.load(fleet(RICH), VirtualClock())
    with session(azure).call(OperationClass.HIGH_COST_GET, TARGET.id, Priority.ROLLOUT) as call:
        row = dict(next(call.rows(f"{TARGET.id}/virtualMachines", **{"$expand": "instanceView"})))
    told = {"code": "ComponentStatus/CustomMetrics/succeeded", "message": message}
    row["properties"]["instanceView"]["extensions"] = [{"name": "health", "substatuses": [told]}]
    return row


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value of a JSON document."""
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
def test_a_value_of_another_type_is_malformed_or_ignored(
    read: Callable[[Any], object], body: Callable[[], Any]
) -> None:
    document, malformed = body(), list[MalformedResponse]()
    read(document)
    for place in places(document):
        for odd in ODD:
            try:
                read(replaced(document, place, odd))
            except MalformedResponse as error:
                malformed.append(error)
    assert len(malformed) > 100
    assert [error for error in malformed if error.__cause__] == [], "raised by what nobody foresaw"
    assert max(len(str(error)) for error in malformed) < 200


@pytest.mark.parametrize(
    ("grace", "read"),
    [
        pytest.param("600", timedelta(minutes=10), id="a text"),
        pytest.param(600, timedelta(minutes=10), id="a number"),
        *(
            pytest.param(odd, timedelta(), id=name)
            for name, odd in {**EXTREME, "a week and more": 1_000_000, "true": True, "half": 0.5}.items()
        ),
    ],
)
def test_an_invalid_grace_period_is_ignored(grace: Any, read: timedelta) -> None:
    assert arm.model(model_body(grace=grace)).health_grace == read


@pytest.mark.parametrize(
    ("notice", "read"),
    [
        pytest.param("PT15M", timedelta(minutes=15), id="fifteen minutes"),
        pytest.param("pt1h2m3.5s", timedelta(hours=1, minutes=2, seconds=3.5), id="all of it"),
        *(pytest.param(odd, timedelta(), id=name) for name, odd in EXTREME.items() if isinstance(odd, str)),
    ],
)
def test_an_invalid_notice_is_ignored(notice: str, read: timedelta) -> None:
    assert arm.model(model_body(notice=notice)).os_image_notice == read


@pytest.mark.parametrize(
    ("message", "phase"),
    [
        pytest.param('{"rollingUpgrade": {"PhaseOrderingNumber": 2}}', 2, id="a place in the order"),
        *(pytest.param(odd, None, id=name) for name, odd in EXTREME.items() if isinstance(odd, str)),
    ],
)
def test_a_message_of_an_application_that_is_not_json_is_ignored(message: str, phase: int | None) -> None:
    assert arm.instance(instance_row(message=message)).upgrade_phase == phase


def test_a_row_that_raises_an_unexpected_error_affects_only_its_own_scale_set(
    azure: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "persisted_state", lambda tags: 1 // ("odd" not in tags))
    azure.faults.arm("*", Malformed("tags", {"odd": "1"}, name="web"), times=None)
    assert len(list(Compute(session(azure)).models(Scope(TARGET.subscription)))) == 119
    (lost,) = (each for each in inventory(session(azure), Scope(TARGET.subscription)) if each.model is None)
    assert lost.error == "Azure sent a scale set that cannot be read (ZeroDivisionError)"


@pytest.mark.parametrize("odd", [each for each in OF_ANOTHER_TYPE if not isinstance(each, dict)], ids=repr)
def test_a_row_of_a_flexible_set_that_is_not_an_object_is_malformed(odd: Any) -> None:
    with pytest.raises(MalformedResponse):
        instance_rows([odd], [], "web", None)
    with pytest.raises(MalformedResponse):
        instance_rows([], [odd], "web", None)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Malformed("sku.capacity", "many", name="odd"), id="a capacity that is a text"),
        pytest.param(
            Malformed("properties.virtualMachineProfile", ["x"], name="odd"),
            id="a profile that is a list",
        ),
        pytest.param(Malformed("tags", "x", name="odd"), id="tags that are a text"),
        pytest.param(Malformed("", 7, name="odd"), id="a row that is a number"),
        pytest.param(Malformed("sku.capacity", 10**400, name="odd"), id="a capacity beyond a float"),
    ],
)
def test_a_row_of_another_type_affects_only_its_own_scale_set(fault: Malformed) -> None:
    world = World(fleet(scale_set("odd", capacity=2), scale_set("web", capacity=5)), spec("odd"), spec("web"))
    for operation in ("VirtualMachineScaleSets_ListAll", "VirtualMachineScaleSets_Get"):
        world.azure.faults.arm(operation, fault, times=None)
    world.rest(timedelta(minutes=30))
    assert world.lines()["web"] == says("UpToDate", "5", NEW)
    assert world.lines()["odd"] == says("MalformedResponse")
    world.azure.faults.disarm()
    world.run()
    assert world.lines()["odd"] == says("UpToDate", NEW)


@pytest.mark.parametrize(
    "body",
    ["", "<html>Sign in</html>", "[]", "7", "[" * 200_000],
    ids=["nothing", "HTML", "a list", "a number", "too deep"],
)
@pytest.mark.parametrize(
    "operation",
    [
        "VirtualMachineScaleSets_ListAll",
        "VirtualMachineScaleSets_Get",
        "VirtualMachineScaleSetVMs_List",
        "VirtualMachineScaleSetRollingUpgrades_GetLatest",
        "VirtualMachineImages_Get",
        "GalleryImages_Get",
        "GalleryImageVersions_Get",
        "VirtualMachineScaleSets_Update",
        "VirtualMachineScaleSets_UpdateInstances",
        "Operations_Get",
    ],
)
def test_a_200_without_a_json_object_only_delays_a_rollout(operation: str, body: str) -> None:
    world = (
        world_of("gallery", "1.0.10")
        if operation.startswith("Gallery")
        else World(fleet(scale_set(capacity=5)), spec())
    )
    world.azure.faults.arm(operation, Page(code=200, body=body), times=2)
    world.run()
    assert operation in world.requests()
    assert world.lines()["web"] == says("UpToDate", "5")
    assert "Bug" not in world.reasons()


def test_a_next_page_on_another_host_is_not_followed() -> None:
    world = World(fleet(scale_set(capacity=5), page=2), spec())
    world.azure.faults.arm("VirtualMachineScaleSetVMs_List", ForeignLinks(), times=None)
    world.rest(timedelta(minutes=5))
    assert world.lines()["web"] == says("MalformedResponse", "https://arm.elsewhere.test")


def test_a_next_page_on_another_host_fails_the_list_and_rollouts_continue() -> None:
    world = World(fleet(scale_set(capacity=5), scale_set("other", capacity=5), page=1), spec(), spec("other"))
    world.run(lambda: world.requests().count("VirtualMachineScaleSets_Update") == 2)
    world.azure.faults.arm("VirtualMachineScaleSets_ListAll", ForeignLinks(), times=None)
    world.run()
    world.rest(timedelta(minutes=2))
    assert all(line == says("UpToDate", "5", NEW) for line in world.lines().values())
    sweep = world.reconciler.store.last_sweep
    assert sweep is not None
    assert sweep.errors == (
        f"subscription {SUBSCRIPTION}: Azure sent a link to another host, https://arm.elsewhere.test; "
        "the link was not followed",
    )


def test_an_operation_on_another_host_is_not_followed(azure: Simulator) -> None:
    door = Compute(session(azure))
    azure.faults.arm("VirtualMachineScaleSets_UpdateInstances", ForeignLinks())
    url = door.take(TARGET, Upgrade(("0",), IMAGE))
    assert url.startswith("https://arm.elsewhere.test/")
    asked = len(azure.record.requests)
    for foreign in (url, "https://[bad/x", r"https://evil.example\@management.azure.com/x"):
        with pytest.raises(MalformedResponse, match="the link was not followed"):
            door.operation(foreign, TARGET)
    assert len(azure.record.requests) == asked


def test_an_operation_on_another_host_is_reported_and_blocks_a_rollout_for_five_minutes() -> None:
    world = World(fleet(scale_set(capacity=5)), spec())
    world.azure.faults.arm("VirtualMachineScaleSets_Update", ForeignLinks())
    world.rest(timedelta(minutes=4))
    assert "VirtualMachineScaleSets_UpdateInstances" not in world.requests()
    assert world.lines()["web"] == says("MalformedResponse")
    world.run()
    assert world.lines()["web"] == says("UpToDate")
