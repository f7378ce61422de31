"""The permissions of the caller at a scope, from all role assignments at that scope and above.

    GET <scope>/providers/Microsoft.Authorization/permissions

The format is that of the published api-version. The recorded traffic has no such response.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from azure.core.rest import HttpRequest

from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.failure import MalformedResponse
from reconciler.azure.fields import Json
from reconciler.azure.session import Session

_VERSION = "2022-04-01"


@dataclass(frozen=True, slots=True)
class Grant:
    """The actions of one role, as patterns. `*` matches any part of a name."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def covers(self, action: str) -> bool:
        return _fits(action, self.actions) and not _fits(action, self.not_actions)


@dataclass(frozen=True, slots=True)
class EffectivePermissions:
    """All grants together. NotActions do not deny: another role may still grant the action."""

    grants: tuple[Grant, ...]

    def allow(self, action: str) -> bool:
        return any(grant.covers(action) for grant in self.grants)


def permissions(session: Session, scope: str) -> EffectivePermissions:
    """The permissions of the caller on the resource `scope`. Raises AzureFailure."""
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    with session.call(OperationClass.PERMISSIONS, scope, Priority.ROUTINE) as call:
        grants: list[Grant] = []
        request = HttpRequest("GET", path, params={"api-version": _VERSION})
        while True:
            body = call.request_json(request)
            grants += _grants(body)
            if not body.get("nextLink"):
                return EffectivePermissions(tuple(grants))
            request = HttpRequest("GET", str(body["nextLink"]))


def _grants(body: Json) -> list[Grant]:
    rows = body.get("value")
    if not isinstance(rows, list):
        raise MalformedResponse("Azure sent permissions without their rows")
    return [Grant(_texts(row.get("actions")), _texts(row.get("notActions"))) for row in rows]


def _texts(listed: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(map(str, listed or ()))


def _fits(action: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(_pattern(each), action, re.IGNORECASE) for each in patterns)


def _pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))
