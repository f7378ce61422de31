"""The permissions of the caller at a scope, from all role assignments at that scope and the scopes above it.

    GET <scope>/providers/Microsoft.Authorization/permissions

The format follows the published api-version, because no such response has been recorded.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from azure.core.rest import HttpRequest

from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.failure import MalformedResponse
from reconciler.azure.fields import Json, list_in, objects_in
from reconciler.azure.session import Session

_VERSION = "2022-04-01"


@dataclass(frozen=True, slots=True)
class Grant:
    """The actions of one role, as patterns. `*` matches any text, including slashes."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def covers(self, action: str) -> bool:
        return _fits(action, self.actions) and not _fits(action, self.not_actions)


@dataclass(frozen=True, slots=True)
class EffectivePermissions:
    """All grants together.

    An action in the NotActions of one role is not denied, because another role can still grant it.
    """

    grants: tuple[Grant, ...]

    def allow(self, action: str) -> bool:
        return any(grant.covers(action) for grant in self.grants)


def permissions(session: Session, scope: str) -> EffectivePermissions:
    """The permissions of the caller on the resource `scope`. Raises AzureFailure if they cannot be read."""
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    with session.call(OperationClass.PERMISSIONS, scope, Priority.ROUTINE) as call:
        request = HttpRequest("GET", path, params={"api-version": _VERSION})
        return EffectivePermissions(tuple(grant for body in call.pages(request) for grant in _grants(body)))


def _grants(body: Json) -> list[Grant]:
    if not isinstance(body.get("value"), list):
        raise MalformedResponse("Azure sent a list of permissions without rows")
    return [Grant(_texts(row, "actions"), _texts(row, "notActions")) for row in objects_in(body, "value")]


def _texts(row: Json, key: str) -> tuple[str, ...]:
    return tuple(map(str, list_in(row, key)))


def _fits(action: str, patterns: Iterable[str]) -> bool:
    return any(_is_match(each.casefold(), action.casefold()) for each in patterns)


def _is_match(pattern: str, action: str) -> bool:
    """Whether the action matches the pattern.

    Each part between two `*` is matched at its first occurrence. If the rest of the pattern does not match
    after the first occurrence, it cannot match after a later one. Backtracking is therefore unnecessary.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return pattern == action
    *middle, last = parts
    if not action.startswith(first) or not action.endswith(last):
        return False
    begin, end = len(first), len(action) - len(last)
    for part in middle:
        found = action.find(part, begin, max(begin, end))
        if found < 0:
            return False
        begin = found + len(part)
    return begin <= end
