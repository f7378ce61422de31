"""What is read of a scale set for a copy of it, from JSON as Azure sends it."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.description import Description, Extension, Repairs, describe, target_of
from reconciler.azure.failure import MalformedResponse
from reconciler.rollout.observed import RollingUpgrade
from reconciler.spec.scale_set import Target

ID = "/subscriptions/S/resourceGroups/SHOP/providers/Microsoft.Compute/virtualMachineScaleSets/Web"
HEALTH = {
    "publisher": "Microsoft.ManagedServices",
    "type": "ApplicationHealthWindows",
    "typeHandlerVersion": "1.0",
}
AGENT = {"publisher": "Example", "type": "Agent", "settings": {"key": "secret"}}


def body(*, profile: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    properties = {"orchestrationMode": "Uniform", "virtualMachineProfile": profile or {}, **fields}
    return {
        "id": ID,
        "name": "Web",
        "location": "westeurope",
        "sku": {"capacity": 1},
        "properties": properties,
    }


def described(shown: dict[str, Any], *rows: dict[str, Any]) -> Description:
    return describe(shown, rows, RollingUpgrade())


def test_a_scale_set_of_which_azure_says_little_has_no_facts() -> None:
    found = described(body())
    assert (found.size, found.zones, found.fault_domains, found.managed_by) == ("", (), None, "")
    assert (found.health, found.extensions, found.repairs, found.spot_restore) == ("", (), None, None)
    assert (found.instances, found.kept, found.overprovision) == ((), frozenset(), False)


def test_the_target_is_spelled_as_azure_spells_it() -> None:
    assert target_of(body()) == Target("S", "shop", "Web")


def test_the_health_extension_is_told_from_the_others_and_no_settings_are_kept() -> None:
    installed = [{"name": "health", "properties": HEALTH}, {"name": "agent", "properties": AGENT}]
    found = described(body(profile={"extensionProfile": {"extensions": installed}}))
    assert found.health == "1.0"
    assert found.extensions == (Extension("agent", "Example", "Agent"),)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "policy, repairs",
    [
        pytest.param(
            {"enabled": True, "gracePeriod": "PT30M", "repairAction": "Restart"},
            Repairs(timedelta(minutes=30), "restart"),
            id="repairs that restart",
        ),
        pytest.param(
            {"enabled": True, "gracePeriod": "PT10M"},
            Repairs(timedelta(minutes=10), "replace"),
            id="repairs without an action",
        ),
        pytest.param({"enabled": False, "gracePeriod": "PT10M"}, None, id="repairs that are off"),
    ],
)
def test_automatic_repairs_are_read(policy: dict[str, Any], repairs: Repairs | None) -> None:
    assert described(body(automaticRepairsPolicy=policy)).repairs == repairs


@pytest.mark.parametrize(
    "policy, restore",
    [
        pytest.param({"enabled": True, "restoreTimeout": "PT1H"}, timedelta(hours=1), id="a restoration"),
        pytest.param({"enabled": False, "restoreTimeout": "PT1H"}, None, id="a restoration that is off"),
    ],
)
def test_the_restoration_of_spot_instances_is_read(policy: dict[str, Any], restore: timedelta | None) -> None:
    assert described(body(spotRestorePolicy=policy)).spot_restore == restore


def test_protection_from_scale_in_is_read_by_instance() -> None:
    rows = [
        {"instanceId": str(number), "name": f"web_{number}", "properties": {"protectionPolicy": policy}}
        for number, policy in enumerate(
            ({"protectFromScaleIn": True}, {"protectFromScaleSetActions": True}, {})
        )
    ]
    assert described(body(), *rows).kept == {"0"}


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param({**body(), "id": "/subscriptions/S"}, id="an id of something else"),
        pytest.param({**body(), "zones": "1"}, id="zones that are no list"),
        pytest.param(
            body(profile={"extensionProfile": {"extensions": ["x"]}}), id="an extension that is no object"
        ),
    ],
)
def test_another_shape_is_malformed(shown: dict[str, Any]) -> None:
    with pytest.raises(MalformedResponse):
        described(shown)
