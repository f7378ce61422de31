"""The managed identity of whoever runs against the simulator, in the App Service form.

    GET {IDENTITY_ENDPOINT}?api-version=2019-08-01&resource=https://management.azure.com
    X-IDENTITY-HEADER: {IDENTITY_HEADER}

The token is a JWT that clients can take apart (`az` reads `tid`); nobody checks its signature. It lives by
the computer's clock, not the simulator's: the credential that keeps it does too.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.simulator.cloud import TENANT
from reconciler.simulator.domains import guid
from reconciler.simulator.message import Request, Response

PATH = "/msi/token"
LIFE = timedelta(hours=24)
CLIENT = guid("client")
PRINCIPAL = guid("principal")


def answer(request: Request, secret: str) -> Response:
    """What the identity endpoint says to this request; `secret` is the IDENTITY_HEADER it must bring."""
    resource = request.query.get("resource", "")
    if request.header("X-IDENTITY-HEADER") != secret:
        return _response(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER does not match."})
    if not resource or "api-version" not in request.query:
        return _response(400, {"statusCode": 400, "message": "Both api-version and resource are needed."})
    now = datetime.now(UTC)
    expires = str(int((now + LIFE).timestamp()))
    body = {
        "access_token": token(resource, now),
        "expires_on": expires,
        "resource": resource,
        "token_type": "Bearer",
        "client_id": CLIENT,
    }
    return _response(200, body)


def token(resource: str, now: datetime) -> str:
    """An access token for `resource`."""
    issued = int(now.timestamp())
    claims = {
        "aud": resource,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": issued,
        "nbf": issued,
        "exp": int((now + LIFE).timestamp()),
        "appid": CLIENT,
        "oid": PRINCIPAL,
        "sub": PRINCIPAL,
        "tid": TENANT,
        "idtyp": "app",
        "ver": "1.0",
    }
    parts = (json.dumps({"typ": "JWT", "alg": "RS256", "kid": "simulator"}), json.dumps(claims), "unsigned")
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


def _response(status: int, body: dict[str, Any]) -> Response:
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(content))}
    return Response(status, headers, content)
