"""Access tokens: JWTs that clients can take apart (`az` reads `tid`), and whose signature nobody checks.

They live by the computer's clock, not the simulator's: the credentials that keep them do too.
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
    """An access token of the application `client` for `resource`; `issued` in seconds since 1970."""
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
    """The object id of an application's service principal."""
    return guid("principal", client)


def tenant_of(authorization: str) -> str:
    """The tenant that issued the token in this header; the fleet's own for one that cannot be taken apart."""
    return str(claims(authorization).get("tid") or TENANT).lower()


def claims(authorization: str) -> Mapping[str, Any]:
    """What the token in this header claims; {} for one that cannot be taken apart, which is as good here."""
    try:
        payload = authorization.split(" ", 1)[1].split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
