"""Addresses in responses: the next page of a list, the status of an operation, a redirect. Pure.

Every request carries a token, and whoever receives a token can use our permissions. Two parsers can find
different hosts in one address: in `https://evil.example\\@management.azure.com/`, `urlsplit` finds the host
management.azure.com, and `requests` finds evil.example. Therefore only the path and the query of an address
are used, and they are sent to our own endpoint.
"""

import re
from urllib.parse import SplitResult, urlsplit

from reconciler.azure.failure import MalformedResponse

# Backslashes, whitespace and control characters. A valid address has none, and parsers treat them
# differently.
_AMBIGUOUS = re.compile(r"[\\\s\x00-\x1f\x7f-\x9f]")
_PORTS = {"https": 443, "http": 80}
_LONGEST_EXCERPT = 80


def on_endpoint(url: str, endpoint: str) -> str:
    """A URL on `endpoint`, with the path and query of `url`.

    Raises MalformedResponse if `url` is invalid or on another host.
    >>> on_endpoint("https://MANAGEMENT.azure.com:443/subscriptions/s?page=2", "https://management.azure.com")
    'https://management.azure.com/subscriptions/s?page=2'
    >>> on_endpoint("/subscriptions/s", "https://management.azure.com")
    'https://management.azure.com/subscriptions/s'
    """
    own = urlsplit(endpoint)
    address, mark, query = url.partition("?")
    # A filter can contain spaces, and the SDK does not encode them.
    url = f"{address}{mark}{query.replace(' ', '%20')}"
    try:
        parts = urlsplit(url)
        is_elsewhere = bool(parts.scheme or parts.netloc) and _origin(parts) != _origin(own)
    except ValueError as error:  # an invalid port, or brackets around an invalid IPv6 address
        raise _unreadable(url) from error
    if _AMBIGUOUS.search(url) or "@" in parts.netloc:
        raise _unreadable(url)
    if is_elsewhere:
        host = f"{parts.scheme}://{parts.netloc}"[:_LONGEST_EXCERPT]
        raise MalformedResponse(f"Azure sent a link to another host, {host}; the link was not followed")
    root = f"{own.scheme}://{own.netloc}" if parts.netloc else endpoint.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    # The SDK treats braces as placeholders.
    return f"{root}/{parts.path.lstrip('/')}{query}".replace("{", "%7B").replace("}", "%7D")


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """The scheme, the host, and the port or its default. Raises ValueError if the port is invalid."""
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _unreadable(url: str) -> MalformedResponse:
    """The error for an invalid link. Leaves out the query, which might contain a signature."""
    shown = repr(url.partition("?")[0])
    return MalformedResponse(
        f"Azure sent an invalid link, {shown[:_LONGEST_EXCERPT]}; the link was not followed"
    )
