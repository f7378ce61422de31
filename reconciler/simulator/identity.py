"""The managed identity of a simulator client, at the three endpoints where clients look for an identity.

    GET  IDENTITY_ENDPOINT?api-version=2019-08-01&resource=    App Service; X-IDENTITY-HEADER: IDENTITY_HEADER
    POST IDENTITY_ENDPOINT, resource=                          Cloud Shell's MSI_ENDPOINT; Metadata: true
    GET  /metadata/identity/oauth2/token?api-version=...       a virtual machine's own; Metadata: true

Cloud Shell's errors have not been recorded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from reconciler.simulator.message import Request, Response
from reconciler.simulator.tokens import CLIENT, LIFETIME, token

PATH = "/msi/token"
VIRTUAL_MACHINE_PATH = "/metadata/identity/oauth2/token"


def answer(request: Request, secret: str) -> Response | None:
    """Return the response of an identity endpoint, or None for any other request.

    `secret` is the value of IDENTITY_HEADER.
    """
    endpoint = ENDPOINTS.get((request.method, request.path.lower()))
    if endpoint is None:
        return None
    status, body = endpoint(request, secret)
    return json_response(status, body)


def json_response(status: int, body: Mapping[str, Any]) -> Response:
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(content))}
    return Response(status, headers, content)


def form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form-encoded body."""
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def _app_service(request: Request, secret: str) -> tuple[int, dict[str, Any]]:
    if request.header("X-IDENTITY-HEADER") != secret:
        return 401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER does not match."}
    if not request.query.get("resource") or not request.version:
        return 400, {"statusCode": 400, "message": "Both api-version and resource are needed."}
    return 200, _grant(request.query)


def _cloud_shell(request: Request, _: str) -> tuple[int, dict[str, Any]]:
    fields = form(request)
    if request.header("Metadata").lower() != "true" or not fields.get("resource"):
        message = "Both the header Metadata: true and a resource are needed."
        return 400, {"error": {"code": "invalid_request", "message": message}}
    return 200, _time(_grant(fields))


def _virtual_machine(request: Request, _: str) -> tuple[int, dict[str, Any]]:
    if request.header("Metadata").lower() != "true":
        missing = "metadata header not specified"
    elif not request.version:
        missing = "query variable 'api-version' is missing"
    elif not request.query.get("resource"):
        missing = "query variable 'resource' is missing"
    else:
        return 200, _time(_grant(request.query))
    return 400, {"error": "invalid_request", "error_description": f"Required {missing}"}


def _grant(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return a token for the client id in the request, or else for the system-assigned identity."""
    issued = int(time.time())
    client = fields.get("client_id") or CLIENT
    return {
        "access_token": token(fields["resource"], issued, client),
        "expires_on": str(issued + LIFETIME),
        "resource": fields["resource"],
        "token_type": "Bearer",
        "client_id": client,
    }


def _time(granted: dict[str, Any]) -> dict[str, Any]:
    """Add the token lifetime fields that only two of the three endpoints return."""
    not_before = str(int(granted["expires_on"]) - LIFETIME)
    return {**granted, "expires_in": str(LIFETIME), "ext_expires_in": str(LIFETIME), "not_before": not_before}


ENDPOINTS: Mapping[tuple[str, str], Callable[[Request, str], tuple[int, dict[str, Any]]]] = {
    ("GET", PATH): _app_service,
    ("POST", PATH): _cloud_shell,
    ("GET", VIRTUAL_MACHINE_PATH): _virtual_machine,
}
