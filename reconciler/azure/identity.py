"""The identity that Azure sees, from the claims of a token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.azure.session import Session
from reconciler.azure.token import claims, obtain
from reconciler.spec.wording import printable


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of a token, according to its claims.

    A field is "" if the token does not contain the claim.
    """

    tenant: str
    object_id: str
    name: str

    def __str__(self) -> str:
        if not self.tenant:
            return "a token was issued, but it has no claims about its owner"
        name = f"{self.name}, " if self.name else ""
        return f"{name}object {self.object_id or 'unknown'} in tenant {self.tenant}"

    @property
    def short(self) -> str:
        """The name of the person or application, or else the object id. "" if the token has neither."""
        return self.name or (f"object {self.object_id}" if self.object_id else "")


def identity(session: Session) -> Identity:
    """The owner of a new token. Raises AzureFailure if no token can be obtained."""
    found = claims(obtain(session.credential, *session.scopes).token)
    return Identity(_claim(found, "tid"), _claim(found, "oid"), _name(found))


def _name(found: Mapping[str, Any]) -> str:
    """The name of a person, or the id of an application. Tokens of versions 1 and 2 use different claims."""
    if person := _claim(found, "upn", "unique_name", "preferred_username"):
        return person
    application = _claim(found, "appid", "azp")
    return f"application {application}" if application else ""


def _claim(found: Mapping[str, Any], *names: str) -> str:
    text = next((text for name in names if isinstance(text := found.get(name), str) and text), "")
    return printable(text)
