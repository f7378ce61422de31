"""Tokens: where ours come from, and what one says of its owner. The token itself is shown to nobody."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential

from reconciler.azure.failure import Refused, Unreachable, failure

# The library waits five minutes for a connection, four times over. Where a firewall drops what is sent, that
# is twenty minutes; a sweep, or a person, tries again sooner.
_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_RETRIES = 1
# What Microsoft Entra ID says to a wrong secret or application, among what every source of an identity says.
_REFUSED = re.compile(r"AADSTS[0-9]+:.*?(?= Trace ID|\n|$)")


def default_credential(auxiliary_tenants: Sequence[str] = ()) -> TokenCredential:
    """The sources that AZURE_TOKEN_CREDENTIALS narrows, for tokens of our own tenant and of these."""
    return DefaultAzureCredential(
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retry_connect=_RETRIES,
        retry_read=_RETRIES,
        additionally_allowed_tenants=list(auxiliary_tenants),
    )


def obtain(credential: TokenCredential, *scopes: str, tenant: str | None = None) -> AccessToken:
    """A token of `tenant`, or of our own. Raises AzureFailure."""
    try:
        return credential.get_token(*scopes, tenant_id=tenant)
    except AzureError as error:
        said = _REFUSED.search(str(error))
        raise (Refused(said[0].strip()) if said else failure(error)) from error
    except (OSError, ValueError) as error:  # a CA bundle or a certificate of the identity that is not there
        raise Unreachable(str(error)) from error


def claims(token: str) -> Mapping[str, Any]:
    """Of a JWT; {} for a token that is none, which Azure may give out at any time."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
