"""Tokens of other tenants, beside our own: Azure needs one where an image belongs to another tenant.

x-ms-authorization-auxiliary: Bearer <token>, Bearer <token>
"""

from collections.abc import Sequence
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.mgmt.core.policies import AuxiliaryAuthenticationPolicy

from reconciler.azure.failure import AzureFailure, Refused, Unreachable
from reconciler.azure.token import claims, obtain

MOST = 3  # tenants that Azure takes tokens of


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


def policy(
    credential: TokenCredential, scopes: Sequence[str], tenants: Sequence[str]
) -> AuxiliaryAuthenticationPolicy:
    """Puts a token of each tenant on every request, and gets new ones before they expire."""
    return AuxiliaryAuthenticationPolicy([TenantCredential(credential, each) for each in tenants], *scopes)
