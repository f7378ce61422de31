"""The managed identities of a scale set, and how a PUT or PATCH changes them.

The behaviour is taken from recorded traffic. A request adds a user-assigned identity by naming it, and
removes one by setting it to null. Names are case-insensitive. A type without `UserAssigned` removes all
user-assigned identities. Azure fills in the principal a moment later, so the response to the write does not
contain the principal. A change to the identities leaves all instances on the latest model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.simulator.domains import guid
from reconciler.simulator.tokens import TENANT

USERS = "userAssignedIdentities"


def identify(resource_id: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity that a resource has after a write, or {} for no identity.

    `stored` is the identity before the write, and `wanted` is the identity in the request.
    """
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
    """Replace the value of each user-assigned identity that is not in `known` with {}."""
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
