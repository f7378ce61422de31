"""The managed identities of a scale set, as a PUT or PATCH changes them.

As recorded: identities are added by naming them and removed by a null, in whatever casing; a type without
`UserAssigned` drops them all. Azure fills in who they are a moment later: the answer to the write does not
say yet. No instance is behind the model because of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.simulator.domains import guid
from reconciler.simulator.tokens import TENANT

USERS = "userAssignedIdentities"


def identify(resource_id: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a resource that had `stored` and is sent `wanted`; {} for none."""
    kinds = str(wanted.get("type") or stored.get("type") or "None")
    if kinds == "None":
        return {}
    identity: dict[str, Any] = {"type": kinds}
    if "SystemAssigned" in kinds:
        identity |= {"principalId": guid("principal", resource_id), "tenantId": TENANT}
    if "UserAssigned" in kinds:
        identity[USERS] = _users(stored.get(USERS) or {}, wanted.get(USERS) or {})
    return identity


def without_new_users(identity: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The identity with nothing said of the users that are not `known` yet."""
    found = {name.lower() for name in known}
    users = {name: value if name.lower() in found else {} for name, value in identity[USERS].items()}
    return {**identity, USERS: users}


def _users(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    spelling = {name.lower(): name for name in (*wanted, *stored)}
    dropped = {name.lower() for name, value in wanted.items() if value is None}
    return {
        name: {"principalId": guid("principal", name), "clientId": guid("client", name)}
        for key, name in spelling.items()
        if key not in dropped
    }
