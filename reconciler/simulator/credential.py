"""A credential for clients in this process. The SDK requires a token, and the simulator accepts any token."""

from __future__ import annotations

from azure.core.credentials import AccessToken

_END = 4_102_444_800  # the year 2100


class InProcessCredential:
    """A credential that returns a token for every scope."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("in-process", _END)
