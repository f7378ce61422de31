"""The calls: what exactly goes to Azure, and how often."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute, Scope
from reconciler.azure.failure import AzureFailure, Conflict, TooManyRequests
from reconciler.azure.session import Session
from reconciler.rollout.observed import ABSENT, RollingUpgrade
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.simulator import Simulator, Status, Throttled, VirtualClock
from reconciler.spec.scale_set import Target
from tests.azure.conftest import IMAGE, TARGET
from tests.build import model
from tests.stories.world import SUBSCRIPTION, fleet, scale_set
from tests.token import Token

SCOPE = Scope(SUBSCRIPTION)


def test_a_list_follows_every_page(door: Compute, azure: Simulator) -> None:
    models = list(door.models(SCOPE))
    assert len({model.id.casefold() for model in models}) == 120
    assert [exchange.operation for exchange in azure.record.requests] == [
        "VirtualMachineScaleSets_ListAll"
    ] * 3


def test_a_list_of_a_resource_group_covers_only_that_group(door: Compute, azure: Simulator) -> None:
    assert len(list(door.models(Scope(SUBSCRIPTION, "shop")))) == 120
    assert all("/resourceGroups/shop/" in exchange.path for exchange in azure.record.requests)


def test_a_scale_set_that_does_not_exist_is_absent(door: Compute) -> None:
    assert door.model(Target(SUBSCRIPTION, "shop", "nobody"), Priority.ROLLOUT) is ABSENT
    assert door.model(Target(SUBSCRIPTION, "nowhere", "web"), Priority.ROLLOUT) is ABSENT


def test_without_any_rolling_upgrade_none_is_running(door: Compute) -> None:
    assert door.rolling_upgrade(TARGET, Priority.ROLLOUT) == RollingUpgrade("")


def test_a_rolling_upgrade_by_azure_is_read(door: Compute, azure: Simulator) -> None:
    door.take(TARGET, PatchModel(IMAGE, '"1"'))
    azure.scale_set("web").start_rolling_upgrade()
    assert door.rolling_upgrade(TARGET, Priority.ROLLOUT).running


def test_instances_are_listed_with_their_views_and_without_select(door: Compute, azure: Simulator) -> None:
    instances = door.instances(TARGET, model(), Priority.ROLLOUT)
    assert [(each.id, each.power, each.health) for each in instances][:2] == [
        ("0", "running", "healthy"),
        ("1", "running", "healthy"),
    ]
    (exchange,) = azure.record.requests
    assert exchange.query["$expand"] == "instanceView"
    assert "$select" not in exchange.query


def test_a_patch_sets_only_the_image_and_returns_immediately(door: Compute, azure: Simulator) -> None:
    door.take(TARGET, PatchModel(IMAGE, '"1"'))
    (exchange,) = azure.record.requests
    reference = {
        "publisher": IMAGE.publisher,
        "offer": IMAGE.offer,
        "sku": IMAGE.sku,
        "version": IMAGE.version,
    }
    assert exchange.operation == "VirtualMachineScaleSets_Update"
    assert exchange.body == {
        "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": reference}}}
    }


def test_a_patch_of_a_changed_model_is_a_conflict_and_changes_nothing(
    door: Compute, azure: Simulator
) -> None:
    azure.scale_set("web").bump_etag()
    with pytest.raises(Conflict, match="PreconditionFailed"):
        door.take(TARGET, PatchModel(IMAGE, '"1"'))
    model = door.model(TARGET, Priority.ROLLOUT)
    assert model is not ABSENT
    assert str(model.image) != str(IMAGE)


def test_an_upgrade_names_its_instances(door: Compute, azure: Simulator) -> None:
    door.take(TARGET, Upgrade(("2", "7"), IMAGE))
    (exchange,) = azure.record.requests
    assert (exchange.operation, exchange.body) == (
        "VirtualMachineScaleSets_UpdateInstances",
        {"instanceIds": ["2", "7"]},
    )


def test_a_call_that_fails_is_not_repeated(door: Compute, azure: Simulator) -> None:
    azure.faults.arm("*", Status(503, "ServerTimeout", "Try later."), times=None)
    with pytest.raises(AzureFailure):
        door.model(TARGET, Priority.ROLLOUT)
    assert len(azure.record.requests) == 1


MANY = Target(SUBSCRIPTION, "shop", "many-0000")


@pytest.mark.parametrize(
    ("policy", "others"),
    [
        pytest.param(
            "GetVMScaleSetSubscriptionMaximum", 0, id="a 429 of the subscription: no scale set is read"
        ),
        pytest.param("GetVMScaleSetResource", 1, id="a 429 of the scale set: the others are still read"),
    ],
)
def test_after_a_429_no_request_of_its_class_is_made_before_its_time(
    door: Compute, azure: Simulator, clock: VirtualClock, policy: str, others: int
) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Get", Throttled(timedelta(seconds=60), group=policy))
    for _ in range(3):
        with pytest.raises(TooManyRequests):
            door.model(TARGET, Priority.ROLLOUT)
    with nullcontext() if others else pytest.raises(TooManyRequests):
        door.model(MANY, Priority.ROLLOUT)
    assert len(azure.record.requests) == 1 + others
    clock.advance(timedelta(seconds=60))
    assert door.model(TARGET, Priority.ROLLOUT) is not ABSENT


def test_a_back_off_blocks_no_other_class(door: Compute, azure: Simulator) -> None:
    azure.faults.arm("VirtualMachineScaleSets_Get", Throttled(timedelta(seconds=60)))
    with pytest.raises(TooManyRequests):
        door.model(TARGET, Priority.ROLLOUT)
    assert len(door.instances(TARGET, model(), Priority.ROLLOUT)) == 10
    assert len(list(door.models(SCOPE))) == 120


def test_a_deleted_resource_group_has_no_scale_sets(door: Compute) -> None:
    assert list(door.models(Scope(SUBSCRIPTION, "gone"))) == []


def test_every_call_has_a_timeout() -> None:
    client = Session(credential=Token()).client(SUBSCRIPTION)
    bounds = client._client._pipeline._transport.connection_config  # type: ignore[attr-defined]
    assert (bounds.timeout, bounds.read_timeout) == (10, 60)


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        pytest.param("https://management.azure.com/", "https://management.azure.com/.default", id="public"),
        pytest.param(
            "https://management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net/.default",
            id="US government, whose scope has another name",
        ),
        pytest.param("https://127.0.0.1:8443", "https://127.0.0.1:8443/.default", id="a simulator"),
    ],
)
def test_a_token_has_the_scope_of_the_cloud(endpoint: str, scope: str) -> None:
    client = Session(endpoint, credential=Token()).client(SUBSCRIPTION)
    assert client._config.credential_scopes == [scope]


def test_a_429_in_one_region_blocks_no_other_known_region(clock: VirtualClock) -> None:
    sets = (scale_set("web", capacity=1), scale_set("north", capacity=1, location="northeurope"))
    azure = Simulator.load(fleet(*sets), clock)
    door = Compute(Session(credential=Token(), transport=azure.transport(), now=clock.now))
    assert len(list(door.models(SCOPE))) == 2
    azure.faults.arm("VirtualMachineScaleSetVMs_List", Throttled(timedelta(seconds=60)))
    with pytest.raises(TooManyRequests):
        door.instances(TARGET, model(), Priority.ROLLOUT)
    assert len(door.instances(Target(SUBSCRIPTION, "shop", "north"), model(), Priority.ROLLOUT)) == 1
    with pytest.raises(TooManyRequests):
        door.instances(TARGET, model(), Priority.ROLLOUT)


def test_the_virtual_machines_of_a_flexible_scale_set_have_their_own_list(clock: VirtualClock) -> None:
    azure = Simulator.load(fleet(scale_set(orchestration="Flexible", capacity=3)), clock)
    door = Compute(Session(credential=Token(), transport=azure.transport(), now=clock.now))
    instances = door.instances(TARGET, model(orchestration="Flexible"), Priority.ROLLOUT)
    assert {each.power for each in instances} == {"running"}
    own, machines = azure.record.requests
    assert (own.operation, machines.operation) == ("VirtualMachineScaleSetVMs_List", "VirtualMachines_List")
    assert "$expand" not in own.query
    assert machines.query["$expand"] == "instanceView"


def test_a_malformed_row_affects_only_its_own_scale_set(door: Compute, azure: Simulator) -> None:
    azure.cloud.scale_set(SUBSCRIPTION, "shop", "many-0007").body["sku"]["capacity"] = "many"
    azure.cloud.scale_set(SUBSCRIPTION, "shop", "many-0007").capacity = "many"  # type: ignore[assignment]
    assert len(list(door.models(SCOPE))) == 119


def test_an_unknown_subscription_is_not_an_empty_list(door: Compute) -> None:
    with pytest.raises(AzureFailure):
        list(door.models(Scope("22222222-2222-2222-2222-222222222222")))
