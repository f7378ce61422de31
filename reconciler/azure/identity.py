"""Who we are to Azure, by the claims of a token. The token itself is shown to nobody."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError

from reconciler.azure.failure import Refused, Unreachable, failure
from reconciler.azure.session import Session

# What Microsoft Entra ID says to a wrong secret or application, among what every source of an identity says.
_REFUSED = re.compile(r"AADSTS[0-9]+:.*?(?= Trace ID|\n|$)")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a token says of its owner, "" where it says nothing."""

    tenant: str
    object_id: str
    name: str

    def __str__(self) -> str:
        if not self.tenant:
            return "a token is got; it does not tell whose"
        name = f"{self.name}, " if self.name else ""
        return f"{name}object {self.object_id or 'unknown'} of tenant {self.tenant}"


def identity(session: Session) -> Identity:
    """Get a token, and read whose it is. Raises AzureFailure."""
    try:
        token = session.credential.get_token(*session.scopes).token
    except AzureError as error:
        said = _REFUSED.search(str(error))
        raise (Refused(said[0].strip()) if said else failure(error)) from error
    except (OSError, ValueError) as error:  # a CA bundle or a certificate of the identity that is not there
        raise Unreachable(str(error)) from error
    claims = _claims(token)
    return Identity(_claim(claims, "tid"), _claim(claims, "oid"), _name(claims))


def _name(claims: Mapping[str, Any]) -> str:
    """A person by name, anything else by its application id. Tokens of version 2 name both otherwise."""
    if person := _claim(claims, "upn", "unique_name", "preferred_username"):
        return person
    application = _claim(claims, "appid", "azp")
    return f"application {application}" if application else ""


def _claim(claims: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if isinstance(text := claims.get(name), str) and text), "")


def _claims(token: str) -> Mapping[str, Any]:
    """Of a JWT; {} for a token that is none, which Azure may give out at any time."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
