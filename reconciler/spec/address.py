"""Addresses of checks: http and https, and nothing secret in them, for a spec is read by many."""

import re
from urllib.parse import parse_qsl, urlsplit

from reconciler.spec.wording import quote, shorten

# Names of parameters that carry a secret wherever they are seen.
_SECRET = re.compile(
    "access_token|api_?key|auth|client_secret|code|passw(or)?d|pwd|sas|secret|sig(nature)?|token",
    re.IGNORECASE,
)
_QUERY_API = re.compile(r"/(?:api/v1(?:/query)?|graph|query)/?")


def url_error(text: str) -> str | None:
    """What is wrong with the text as an address, and the mend. A secret in it is not repeated."""
    if re.match(r"([^/?#]*//)?[^/?#]*@", text):
        return "holds a user name or password, which does not belong in git: leave out all before the @"
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        return "has a host or port that is none: write an address such as https://shop.example.com/healthz"
    secret = next((name for name, _ in parse_qsl(parts.query) if _SECRET.fullmatch(name)), None)
    if secret:
        return f"holds a secret, {shorten(secret)}, which does not belong in git: name a page without one"
    if parts.fragment or text.endswith("#"):
        return "holds a #, which is never sent: leave out what follows"
    if "://" not in text:
        return f"{quote(text)} lacks http:// or https:// at its beginning: put it there"
    return None  # the rest the pattern says


def server_error(text: str) -> str | None:
    """The same of the address of a Prometheus, which has no query of its own."""
    if found := url_error(text):
        return found
    parts = urlsplit(text)
    if parts.query:
        return "holds a query: leave it out, and write it as query"
    if _QUERY_API.fullmatch(parts.path):
        return f"names the API of the server: leave out {parts.path}"
    return None
