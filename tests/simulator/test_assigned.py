"""Managed identities of a scale set, changed as recorded: added by name, dropped by a null, or all at once."""

from __future__ import annotations

import json
from typing import Any

from tests.simulator.azure import GROUP, Azure
from tests.simulator.likeness import GUID, differences

ONE, TWO = (f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id{n}" for n in (1, 2))
KNOWN = {"principalId": GUID, "clientId": GUID}
SYSTEM = {"principalId": GUID, "tenantId": GUID}


def patched(azure: Azure, identity: Any) -> Any:
    """What the answer to a PATCH says, and then a GET."""
    answer = azure.ask("PATCH", "", json.dumps({"identity": identity}).encode())
    assert answer.status == 200, answer.body
    return answer.json().get("identity"), azure.ask("GET", "").json().get("identity")


def test_identities_come_and_go(azure: Azure) -> None:
    both = "SystemAssigned, UserAssigned"
    story: tuple[tuple[Any, Any], ...] = (
        ({"type": both, "userAssignedIdentities": {ONE: {}}}, {"type": both, **SYSTEM, "userAssignedIdentities": {ONE: KNOWN}}),
        ({"type": both, "userAssignedIdentities": {TWO: {}}}, {"type": both, **SYSTEM, "userAssignedIdentities": {ONE: KNOWN, TWO: KNOWN}}),
        ({"type": both, "userAssignedIdentities": {ONE.lower(): None}}, {"type": both, **SYSTEM, "userAssignedIdentities": {TWO: KNOWN}}),
        ({"type": "SystemAssigned"}, {"type": "SystemAssigned", **SYSTEM}),
    )  # fmt: skip
    for number, (wanted, shown) in enumerate(story):
        assert differences(shown, patched(azure, wanted)[1]) == []
        assert azure.ask("GET", "").headers["ETag"] == f'"{number + 2}"'
    assert patched(azure, {"type": "None"}) == (None, None)


def test_the_answer_does_not_say_yet_who_a_new_identity_is(azure: Azure) -> None:
    patched(azure, {"type": "UserAssigned", "userAssignedIdentities": {ONE: {}}})
    answer, _ = patched(azure, {"type": "UserAssigned", "userAssignedIdentities": {TWO: {}}})
    assert differences({ONE: KNOWN, TWO: {}}, answer["userAssignedIdentities"]) == []


def test_no_instance_is_behind_because_of_them(azure: Azure) -> None:
    patched(azure, {"type": "SystemAssigned"})
    azure.wait(60)
    answer = azure.ask("POST", "manualupgrade", b'{"instanceIds":["*"]}')
    assert answer.headers["x-ms-request-charge"] == "0"
