"""Access tokens: JWTs that clients can decode (`az` reads `tid`), with a signature that is never verified.

Tokens expire according to the system clock, not the simulator's clock, because the credentials that cache
tokens use the system clock too.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from reconciler.simulator.domains import guid

TENANT = guid("tenant")
CLIENT = guid("client")
LIFETIME = 24 * 60 * 60  # seconds


def token(resource: str, issued: int, client: str = CLIENT, tenant: str = TENANT) -> str:
    """Return an access token for `resource`, issued to the application `client` at the Unix time `issued`."""
    claims = {
        "aud": resource,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + LIFETIME,
        "appid": client,
        "oid": principal(client),
        "sub": principal(client),
        "tid": tenant,
        "idtyp": "app",
        "ver": "1.0",
    }
    parts = (json.dumps({"typ": "JWT", "alg": "RS256", "kid": "simulator"}), json.dumps(claims), "unsigned")
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


def principal(client: str) -> str:
    """Return the object id of an application's service principal."""
    return guid("principal", client)


def tenant_of(authorization: str) -> str:
    """Return the tenant that issued the token in this header.

    If the token cannot be decoded, return the tenant of the fleet.
    """
    return str(claims(authorization).get("tid") or TENANT).lower()


def claims(authorization: str) -> Mapping[str, Any]:
    """Return the claims of the token in this header, or {} if the token cannot be decoded."""
    try:
        payload = authorization.split(" ", 1)[1].split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
