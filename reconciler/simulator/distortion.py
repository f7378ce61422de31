"""Faults that alter a correct response: missing rows, fields of the wrong type, links to another host."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from reconciler.simulator.faults import ForeignLinks, Malformed, Misdated, Partial, Truncated
from reconciler.simulator.message import Request, Response

LINKS = ("Azure-AsyncOperation", "Location")

Distortion = Malformed | Misdated | Partial | Truncated | ForeignLinks


def distort(response: Response, fault: Distortion, request: Request) -> Response:
    """Return the response to `request`, altered by `fault`, with the correct Content-Length."""
    match fault:
        case Truncated():
            return _with_body(response, response.body[: len(response.body) // 2])
        case Partial(lacks):
            return _rewrite(response, lambda body: _without_rows(body, lacks))
        case Misdated(by):
            date = parsedate_to_datetime(response.headers["Date"]) + by
            return replace(response, headers={**response.headers, "Date": format_datetime(date, usegmt=True)})
        case Malformed():
            return _rewrite(response, lambda body: _replace_in_rows(body, fault))
        case ForeignLinks(host):
            headers = {
                name: value.replace(request.host, host, 1) if name in LINKS else value
                for name, value in response.headers.items()
            }
            return _rewrite(
                replace(response, headers=headers), lambda body: _relink(body, request.host, host)
            )


def _without_rows(body: dict[str, Any], lacks: int) -> dict[str, Any]:
    """Remove the first `lacks` rows of a list. Any other body stays unchanged."""
    return {**body, "value": body["value"][lacks:]} if isinstance(body.get("value"), list) else body


def _relink(body: dict[str, Any], own: str, foreign: str) -> dict[str, Any]:
    return {**body, "nextLink": body["nextLink"].replace(own, foreign, 1)} if "nextLink" in body else body


def _replace_in_rows(body: dict[str, Any], fault: Malformed) -> dict[str, Any]:
    """Replace the field in each matching row of a list, or in a single resource."""
    if not isinstance(body.get("value"), list):
        replaced: dict[str, Any] = _replace_field(body, fault)
        return replaced
    return {**body, "value": [_replace_field(row, fault) for row in body["value"]]}


def _replace_field(row: Any, fault: Malformed) -> Any:
    if fault.name is not None and str(row.get("name")).lower() != fault.name.lower():
        return row
    return _set(row, fault.field.split("."), fault.value) if fault.field else fault.value


def _set(row: Any, path: list[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    found = dict(row) if isinstance(row, Mapping) else {}
    return {**found, first: _set(found.get(first), rest, value) if rest else value}


def _rewrite(response: Response, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """Apply `change` to the JSON object in the response. Any other body stays unchanged."""
    body = json.loads(response.body or b"null")
    if not isinstance(body, dict) or (altered := change(body)) == body:
        return response
    return _with_body(response, json.dumps(altered, separators=(",", ":")).encode())


def _with_body(response: Response, body: bytes) -> Response:
    return replace(response, headers={**response.headers, "Content-Length": str(len(body))}, body=body)
