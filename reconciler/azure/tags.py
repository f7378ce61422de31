"""Reads and writes the tags of a resource or a resource group through the tags API of Resource Manager.

This API can add and remove single tags without changing the others. A caller needs
`Microsoft.Resources/tags/read` or `write` on the resource, but no permission to change the resource itself.
"""

import json
from collections.abc import Mapping

from azure.core.rest import HttpRequest

from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.fields import Json, mapping_in, required_in
from reconciler.azure.session import Session

_VERSION = "2021-04-01"


def read_tags(session: Session, resource: str) -> Mapping[str, str]:
    """The tags of the resource with this id. Raises AzureFailure if they cannot be read."""
    with session.call(OperationClass.TAGS, resource, Priority.ROLLOUT) as call:
        return _tags(call.request_json(HttpRequest("GET", _path(resource), params={"api-version": _VERSION})))


def merge_tags(session: Session, resource: str, tags: Mapping[str, str]) -> None:
    """Add these tags, or replace their values. Raises AzureFailure if the request fails."""
    _patch(session, resource, "Merge", tags)


def delete_tags(session: Session, resource: str, tags: Mapping[str, str]) -> None:
    """Remove each tag that still has the given value. Raises AzureFailure if the request fails."""
    _patch(session, resource, "Delete", tags)


def _patch(session: Session, resource: str, operation: str, tags: Mapping[str, str]) -> None:
    body = {"operation": operation, "properties": {"tags": dict(tags)}}
    request = HttpRequest(
        "PATCH",
        _path(resource),
        params={"api-version": _VERSION},
        headers={"Content-Type": "application/json"},
        content=json.dumps(body),
    )
    with session.call(OperationClass.TAG_WRITES, resource, Priority.ROLLOUT) as call:
        call.request_json(request)


def _path(resource: str) -> str:
    return f"{resource}/providers/Microsoft.Resources/tags/default"


def _tags(body: Json) -> Mapping[str, str]:
    found = mapping_in(required_in(body, "properties"), "tags")
    return {str(name): str(value) for name, value in found.items()}
