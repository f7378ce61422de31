"""Validates the URLs of checks.

A URL must be http or https. It must not contain secrets, because many people can read a spec.
"""

import re
from urllib.parse import parse_qsl, urlsplit

from reconciler.spec.wording import quote, shorten

# Query parameters with these names hold a secret.
_SECRET = re.compile(
    "access_token|api_?key|auth|client_secret|code|passw(or)?d|pwd|sas|secret|sig(nature)?|token",
    re.IGNORECASE,
)
_QUERY_API = re.compile(r"/(?:api/v1(?:/query)?|graph|query)/?")


def url_error(text: str) -> str | None:
    """The error if the text is not a valid URL for a check, otherwise None.

    The error never repeats a secret from the text.
    """
    if re.match(r"([^/?#]*//)?[^/?#]*@", text):
        return (
            "contains a user name or password, which must not be stored in git: remove everything up to the @"
        )
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError if the port is invalid
    except ValueError:
        return "has an invalid host or port: write a URL such as https://shop.example.com/healthz"
    secret = next((name for name, _ in parse_qsl(parts.query) if _SECRET.fullmatch(name)), None)
    if secret:
        return f"contains the secret {shorten(secret)}, which must not be stored in git: use a URL without it"
    if parts.fragment or text.endswith("#"):
        return "contains a #, but the part after it is never sent: remove the # and what follows"
    if "://" not in text:
        return f"{quote(text)} has no scheme: begin it with http:// or https://"
    return None  # the pattern in the schema checks the rest


def server_error(text: str) -> str | None:
    """The error if the text is not a valid base URL of a Prometheus server, otherwise None."""
    if found := url_error(text):
        return found
    parts = urlsplit(text)
    if parts.query:
        return "contains a query string: remove it, and write the query in the field query"
    if _QUERY_API.fullmatch(parts.path):
        return f"includes the API path of the server: remove {parts.path}"
    return None
