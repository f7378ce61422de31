"""A credential for the in-process client, which needs no identity although the SDK requires a token."""

from azure.core.credentials import AccessToken


class Token:
    """A credential that returns a long-lived token for every scope."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("test", 4_102_444_800)
