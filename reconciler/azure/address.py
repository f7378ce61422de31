"""Addresses that Azure sends: the next page of a list, the state of an operation, a redirect. Pure.

Every request carries a token, and whoever gets it can do what we may. Two readers may see two hosts in one
address: to `urlsplit`, `https://evil.example\\@management.azure.com/` is on management.azure.com, and to
`requests` it is on evil.example. So no address is sent as it came. Its path and query are sent to our own
endpoint.
"""

import re
from urllib.parse import SplitResult, urlsplit

from reconciler.azure.failure import MalformedResponse

# A backslash, whitespace, control characters: no address has any, and readers disagree on what they mean.
_AMBIGUOUS = re.compile(r"[\\\s\x00-\x1f\x7f-\x9f]")
_PORTS = {"https": 443, "http": 80}
_LONGEST_EXCERPT = 80


def on_endpoint(url: str, endpoint: str) -> str:
    """The address of `url` on `endpoint`. Raises Malformed where it leads to another host, or nowhere.

    >>> on_endpoint("https://MANAGEMENT.azure.com:443/subscriptions/s?page=2", "https://management.azure.com")
    'https://management.azure.com/subscriptions/s?page=2'
    >>> on_endpoint("/subscriptions/s", "https://management.azure.com")
    'https://management.azure.com/subscriptions/s'
    """
    own = urlsplit(endpoint)
    address, mark, query = url.partition("?")
    # A filter has spaces, and the SDK leaves them as they are.
    url = f"{address}{mark}{query.replace(' ', '%20')}"
    try:
        parts = urlsplit(url)
        is_elsewhere = bool(parts.scheme or parts.netloc) and _origin(parts) != _origin(own)
    except ValueError as error:  # a port that is no number, or brackets around what is no IPv6 address
        raise _unreadable(url) from error
    if _AMBIGUOUS.search(url) or "@" in parts.netloc:
        raise _unreadable(url)
    if is_elsewhere:
        host = f"{parts.scheme}://{parts.netloc}"[:_LONGEST_EXCERPT]
        raise MalformedResponse(f"Azure sent an address of another host, which is not asked: {host}")
    root = f"{own.scheme}://{own.netloc}" if parts.netloc else endpoint.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    # The SDK takes braces for places to fill in.
    return f"{root}/{parts.path.lstrip('/')}{query}".replace("{", "%7B").replace("}", "%7D")


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port: links have named the port that goes without saying. Raises ValueError."""
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _unreadable(url: str) -> MalformedResponse:
    """Without the query, which may hold a signature."""
    shown = repr(url.partition("?")[0])
    return MalformedResponse(
        f"Azure sent an address that makes no sense, which is not asked: {shown[:_LONGEST_EXCERPT]}"
    )
