"""Managed identities of a scale set, changed as recorded: added by name or removed by a null."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.azure import GROUP, VERSION, Azure
from tests.simulator.likeness import GUID, differences

ONE, TWO = (f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id{n}" for n in (1, 2))
KNOWN = {"principalId": GUID, "clientId": GUID}
SYSTEM = {"principalId": GUID, "tenantId": GUID}


def patch_identity(azure: Azure, identity: Any, version: str = VERSION) -> Any:
    """Return the identity in the response to a PATCH, and then in a GET."""
    answer = azure.ask("PATCH", "", json.dumps({"identity": identity}).encode(), version=version)
    assert answer.status == 200, answer.body
    return answer.json().get("identity"), azure.ask("GET", "").json().get("identity")


def test_identities_are_added_and_removed(azure: Azure) -> None:
    both = "SystemAssigned, UserAssigned"
    story: tuple[tuple[Any, Any], ...] = (
        ({"type": both, "userAssignedIdentities": {ONE: {}}}, {"type": both, **SYSTEM, "userAssignedIdentities": {ONE: KNOWN}}),
        ({"type": both, "userAssignedIdentities": {TWO: {}}}, {"type": both, **SYSTEM, "userAssignedIdentities": {ONE: KNOWN, TWO: KNOWN}}),
        ({"type": both, "userAssignedIdentities": {ONE.lower(): None}}, {"type": both, **SYSTEM, "userAssignedIdentities": {TWO: KNOWN}}),
        ({"type": "SystemAssigned"}, {"type": "SystemAssigned", **SYSTEM}),
    )  # fmt: skip
    for number, (wanted, shown) in enumerate(story):
        assert differences(shown, patch_identity(azure, wanted)[1]) == []
        assert azure.ask("GET", "").headers["ETag"] == f'"{number + 2}"'
    assert patch_identity(azure, {"type": "None"}) == (None, None)


@pytest.mark.parametrize(
    "version, shown",
    [
        pytest.param("2020-06-01", {ONE: {}, TWO: {}}, id="an old version shows no ids of any identity"),
        pytest.param("2024-07-01", {ONE: KNOWN, TWO: {}}, id="a current version shows the ids of the others"),
    ],
)
def test_the_response_has_no_ids_of_a_new_identity_yet(azure: Azure, version: str, shown: Any) -> None:
    patch_identity(azure, {"type": "UserAssigned", "userAssignedIdentities": {ONE: {}}})
    answer, then = patch_identity(
        azure, {"type": "UserAssigned", "userAssignedIdentities": {TWO: {}}}, version
    )
    assert differences(shown, answer["userAssignedIdentities"]) == []
    assert differences({ONE: KNOWN, TWO: KNOWN}, then["userAssignedIdentities"]) == []


def test_before_2018_identities_were_a_list_of_ids(azure: Azure) -> None:
    patch_identity(azure, {"type": "UserAssigned", "userAssignedIdentities": {ONE: {}}})
    shown = azure.ask("GET", "", version="2017-12-01").json()["identity"]
    assert shown == {"type": "UserAssigned", "identityIds": [ONE]}


def test_a_change_of_identities_leaves_instances_on_the_latest_model(azure: Azure) -> None:
    patch_identity(azure, {"type": "SystemAssigned"})
    azure.wait(60)
    answer = azure.ask("POST", "manualupgrade", b'{"instanceIds":["*"]}')
    assert answer.headers["x-ms-request-charge"] == "0"


@pytest.mark.parametrize("version, is_shown", [("2022-03-01", False), ("2022-11-01", True)])
def test_instances_show_the_identity_of_their_set(azure: Azure, version: str, is_shown: bool) -> None:
    _, shown = patch_identity(azure, {"type": "UserAssigned", "userAssignedIdentities": {ONE: {}}})
    row = azure.ask("GET", "virtualMachines/0", version=version).json()
    assert row.get("identity") == (shown if is_shown else None)
