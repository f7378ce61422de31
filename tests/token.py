"""A credential for the in-process door: it asks for no identity, but the SDK asks for a token all the same."""

from azure.core.credentials import AccessToken


class Token:
    """Whatever is asked for, a token that lasts."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("test", 4_102_444_800)
