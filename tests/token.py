"""Credentials for the in-process client, which needs no identity although the SDK requires a token."""

from typing import Any

from azure.core.credentials import AccessToken

from reconciler.simulator.credential import InProcessCredential as Token
from reconciler.simulator.tokens import token

__all__ = ["ApplicationToken", "Token"]


class ApplicationToken:
    """A credential of an application, whose tokens have the claims that Azure's have."""

    def __init__(self, client: str) -> None:
        self._client = client

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(token("https://management.azure.com", 0, self._client), 4_000_000_000)
