"""Tokens: how to obtain them, and how to read their claims. A token itself is never shown."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential

from reconciler.azure.failure import NoToken, Refused, failure
from reconciler.rollout.wording import quote_error

# By default, the library waits five minutes for a connection, and tries four times. Behind a firewall that
# drops packets, this would take twenty minutes. A sweep or a person retries sooner.
_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_RETRIES = 1
# The error of Microsoft Entra ID for a wrong secret or application, among the errors of all identity sources.
_REFUSED = re.compile(r"AADSTS[0-9]+:.*?(?= Trace ID|\n|$)")


def default_credential(auxiliary_tenants: Sequence[str] = ()) -> TokenCredential:
    """DefaultAzureCredential for our own tenant and `auxiliary_tenants`.

    The variable AZURE_TOKEN_CREDENTIALS limits the identity sources that are tried.
    """
    return DefaultAzureCredential(
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retry_connect=_RETRIES,
        retry_read=_RETRIES,
        additionally_allowed_tenants=list(auxiliary_tenants),
    )


def obtain(credential: TokenCredential, *scopes: str, tenant: str | None = None) -> AccessToken:
    """A token from `tenant`, or from our own tenant if `tenant` is None. Raises AzureFailure if none is
    issued.
    """
    try:
        return credential.get_token(*scopes, tenant_id=tenant)
    except AzureError as error:
        refusal = _REFUSED.search(str(error))
        if refusal is None:
            raise failure(error) from error
        raise Refused(f"Microsoft Entra ID returned {quote_error(refusal[0].strip())}") from error
    except (
        OSError,
        ValueError,
    ) as error:  # for example a missing CA bundle, or a missing certificate of the identity
        raise NoToken(f"no token could be obtained ({error})") from error


def claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT, or {} for any other token, because Azure guarantees no format."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
