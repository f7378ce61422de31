"""The caller's permissions: names of actions, and Azure's 403."""

from __future__ import annotations

import time
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from reconciler.simulator import FleetError, Simulator, VirtualClock
from reconciler.simulator.permissions import ACTIONS, Permissions, action_of, scope_of
from reconciler.simulator.routes import ROUTES
from reconciler.simulator.tokens import principal, token
from tests.simulator.azure import GROUP, SET, Start, fleet

SETS = "Microsoft.Compute/virtualMachineScaleSets"
SUBSCRIPTION = GROUP.partition("/resourceGroups")[0]
READER = {"actions": ["*/read"]}
# The requests that every caller with a token can make.
OPEN = {
    "Metadata_GetEndpoints",
    "Permissions_List",
    "Permissions_ListForResource",
    "Permissions_ListForResourceGroup",
    "Subscriptions_List",
    "Tenants_List",
}


def test_every_operation_has_an_action_or_is_open() -> None:
    assert {route.name for route in ROUTES} == set(ACTIONS) | OPEN


@pytest.mark.parametrize(
    "actions, not_actions, granted",
    [
        pytest.param(("*",), (), True, id="all actions"),
        pytest.param((f"{SETS}/*",), (), True, id="all actions of scale sets"),
        pytest.param(("*/manualupgrade/ACTION",), (), True, id="an action in another casing"),
        pytest.param(("*/read",), (), False, id="read actions only"),
        pytest.param((), (), False, id="no actions"),
        pytest.param(("*",), (f"{SETS}/manualUpgrade/action",), False, id="an excluded action"),
    ],
)
def test_an_action_is_granted_by_patterns(
    actions: tuple[str, ...], not_actions: tuple[str, ...], granted: bool
) -> None:
    assert Permissions(actions, not_actions).grant(f"{SETS}/manualUpgrade/action") is granted


@pytest.mark.parametrize(
    "route, names, action",
    [
        pytest.param("VirtualMachineScaleSets_Update", {}, f"{SETS}/write", id="a write"),
        pytest.param(
            "VirtualMachineScaleSetVMs_PowerOff",
            {},
            f"{SETS}/virtualMachines/powerOff/action",
            id="an action",
        ),
        pytest.param(
            "Providers_Register", {"namespace": "Microsoft.X"}, "Microsoft.X/register/action", id="a provider"
        ),
        pytest.param("Subscriptions_List", {}, None, id="a list that needs no action"),
    ],
)
def test_the_action_of_a_request(route: str, names: dict[str, str], action: str | None) -> None:
    assert action_of(route, names) == action


@pytest.mark.parametrize(
    "path, scope",
    [
        pytest.param(SET, SET, id="a resource is its own scope"),
        pytest.param(f"{SET}/manualupgrade", SET, id="an action is on its resource"),
        pytest.param(f"{SET}/virtualMachines", SET, id="a list is below its parent"),
        pytest.param(f"{SET}/virtualMachines/3", f"{SET}/virtualMachines/3", id="an instance"),
        pytest.param(
            f"{GROUP}/providers/{SETS}", f"{GROUP}/providers/Microsoft.Compute", id="a list in a group"
        ),
        pytest.param(f"{SUBSCRIPTION}/providers/{SETS}", SUBSCRIPTION, id="a list in a subscription"),
        pytest.param(f"{SUBSCRIPTION}/resourceGroups", SUBSCRIPTION, id="the groups"),
        pytest.param(GROUP, GROUP, id="a group"),
    ],
)
def test_the_scope_of_a_request(path: str, scope: str) -> None:
    assert scope_of(path) == scope


def test_a_reader_may_read_and_gets_a_403_for_other_actions(start: Start) -> None:
    azure = start(top={"permissions": READER})
    assert azure.ask("GET", "").status == 200
    bearer = token("https://management.azure.com", int(time.time()), "app")
    response = azure.ask("POST", "manualupgrade", b"{}", headers={"Authorization": f"Bearer {bearer}"})
    assert (response.status, response.headers["x-ms-failure-cause"]) == (403, "gateway")
    assert response.json() == {
        "error": {
            "code": "AuthorizationFailed",
            "message": f"The client 'app' with object id '{principal('app')}' does not have authorization to "
            f"perform action '{SETS}/manualUpgrade/action' over scope '{SET}' or the scope is invalid. If "
            "access was recently granted, please refresh your credentials.",
        }
    }


def test_the_sdk_raises_the_403(start: Start) -> None:
    azure = start(top={"permissions": {"notActions": [f"{SETS}/write"]}})
    with pytest.raises(HttpResponseError) as caught:
        azure.patch({"tags": {"a": "b"}})
    assert (caught.value.status_code, caught.value.error and caught.value.error.code) == (
        403,
        "AuthorizationFailed",
    )


def test_permissions_are_checked_before_existence(start: Start) -> None:
    azure = start(top={"permissions": {"actions": []}})
    assert azure.ask("GET", f"{SET}-of-old").status == 403
    assert azure.ask("GET", "/subscriptions").status == 200


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(SUBSCRIPTION, id="a subscription"),
        pytest.param(GROUP, id="a resource group"),
        pytest.param(SET, id="a scale set"),
    ],
)
def test_the_callers_permissions_can_be_read(start: Start, scope: str) -> None:
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    assert start().ask("GET", path, version="2022-04-01").json() == {
        "value": [{"actions": ["*"], "notActions": []}]
    }
    reader = start(top={"permissions": {**READER, "notActions": ["*/skus/read"]}})
    assert reader.ask("GET", path, version="2022-04-01").json() == {
        "value": [{"actions": ["*/read"], "notActions": ["*/skus/read"]}]
    }


@pytest.mark.parametrize(
    "scope",
    [pytest.param(f"{GROUP}-of-old", id="a resource group"), pytest.param(f"{SET}-of-old", id="a scale set")],
)
def test_permissions_on_a_missing_resource_are_404(start: Start, scope: str) -> None:
    assert start().ask("GET", f"{scope}/providers/Microsoft.Authorization/permissions").status == 404


@pytest.mark.parametrize(
    "permissions, error",
    [
        pytest.param(
            {"actions": ["banana"]},
            "permissions.actions[0] 'banana' is not an action: write it as "
            "Microsoft.Compute/virtualMachineScaleSets/read, with * for any part",
            id="a word that is not an action",
        ),
        pytest.param(
            {"notActions": ["*", 3]},
            "permissions.notActions[1] 3 is not an action: write it as Microsoft.Compute/virtualMachineScaleSets/read, with * for any part",
            id="a number",
        ),
        pytest.param(
            {"actions": "*"},
            "permissions.actions '*' is not a list: begin each entry with `- `",
            id="actions that are not a list",
        ),
        pytest.param(
            {"action": ["*"]},
            "permissions.action is not a known field: did you mean actions?",
            id="a misspelt field",
        ),
    ],
)
def test_invalid_permissions_of_a_fleet_are_an_error(permissions: dict[str, Any], error: str) -> None:
    with pytest.raises(FleetError) as caught:
        Simulator.load({**fleet(), "permissions": permissions}, VirtualClock())
    assert str(caught.value) == error
