"""Tokens from other tenants, sent along with our own token. Azure needs them if an image is in another
tenant.

    x-ms-authorization-auxiliary: Bearer <token>, Bearer <token>

Azure checks these tokens if the body of a request refers to a resource in another tenant. It responds with
401 if any of them is invalid. Only the PATCH of a model carries the tokens, because its body names an image.
A tenant that issues no token therefore blocks no other request.
"""

from collections.abc import Sequence
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import PipelineRequest
from azure.mgmt.core.policies import AuxiliaryAuthenticationPolicy

from reconciler.azure.failure import AzureFailure, NoToken, Refused
from reconciler.azure.token import claims, obtain

# The option of a request that carries the tokens.
_OPTION = "needs_auxiliary_tokens"


class TenantCredential:
    """Our identity in another tenant."""

    def __init__(self, credential: TokenCredential, tenant: str) -> None:
        self._credential = credential
        self._tenant = tenant

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        """Get a token from the tenant. Raises AzureFailure, with a message that names the tenant."""
        try:
            token = obtain(self._credential, *scopes, tenant=self._tenant)
        except (
            AzureFailure
        ) as error:  # a refusal is temporary too: it ends once the tenant knows the application
            raise NoToken(f"auxiliary tenant {self._tenant} issued no token: {error}") from error
        owner = str(claims(token.token).get("tid") or self._tenant)
        if owner.casefold() != self._tenant.casefold():
            raise Refused(
                f"the token for auxiliary tenant {self._tenant} was issued by tenant {owner}; a managed "
                "identity gets no other, so use an application that is registered in both tenants"
            )
        return token


class AuxiliaryTokens(AuxiliaryAuthenticationPolicy):
    """Adds tokens from all tenants to the requests that need them. Renews tokens before they expire."""

    def __init__(self, credential: TokenCredential, scopes: Sequence[str], tenants: Sequence[str]) -> None:
        super().__init__([TenantCredential(credential, each) for each in tenants], *scopes)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Add the tokens if the request needs them. Raises AzureFailure if a tenant issues none."""
        if request.context.options.pop(_OPTION, False):
            super().on_request(request)


def options(tenants: Sequence[str]) -> dict[str, Any]:
    """The options that make an SDK operation send a token from each tenant, or {} if there are no tenants."""
    return {_OPTION: True} if tenants else {}
