"""Tokens of other tenants, beside our own: Azure needs one where an image belongs to another tenant.

x-ms-authorization-auxiliary: Bearer <token>, Bearer <token>

Azure checks them "when the request references a resource from different tenant", by the body of the request,
and answers 401 if any of them is not valid. So they go with the one request that names an image, the PATCH of
a model. A tenant that gives no token stops no other request.
"""

from collections.abc import Sequence
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import PipelineRequest
from azure.mgmt.core.policies import AuxiliaryAuthenticationPolicy

from reconciler.azure.failure import AzureFailure, Refused, Unreachable
from reconciler.azure.token import claims, obtain

MAX_TENANTS = 3  # that Azure takes tokens of
# The option of a request that wants the tokens.
_OPTION = "needs_auxiliary_tokens"


class TenantCredential:
    """Our identity, as another tenant knows it."""

    def __init__(self, credential: TokenCredential, tenant: str) -> None:
        self._credential = credential
        self._tenant = tenant

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        """Raises AzureFailure, which names the tenant."""
        try:
            token = obtain(self._credential, *scopes, tenant=self._tenant)
        except AzureFailure as error:  # also a refusal: it ends once that tenant knows the application
            raise Unreachable(f"auxiliary tenant {self._tenant}: {error}") from error
        owner = str(claims(token.token).get("tid") or self._tenant)
        if owner.casefold() != self._tenant.casefold():
            raise Refused(
                f"auxiliary tenant {self._tenant}: the token is of tenant {owner}: a managed identity has no "
                "other; sign in as an application that both tenants know"
            )
        return token


class AuxiliaryTokens(AuxiliaryAuthenticationPolicy):
    """Puts a token of each tenant on the requests that ask for it, and gets new ones before they expire."""

    def __init__(self, credential: TokenCredential, scopes: Sequence[str], tenants: Sequence[str]) -> None:
        super().__init__([TenantCredential(credential, each) for each in tenants], *scopes)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raises AzureFailure where a token is needed and cannot be had."""
        if request.context.options.pop(_OPTION, False):
            super().on_request(request)


def options(tenants: Sequence[str]) -> dict[str, Any]:
    """What an operation of the SDK is called with to send a token of each tenant."""
    return {_OPTION: True} if tenants else {}
