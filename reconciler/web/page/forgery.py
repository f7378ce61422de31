"""Decides whether a person meant to send a form, or another site made the browser send it.

There are two checks. The browser says which site the form came from, and that must be this site. The form has
a token that only this process can make, for one person and for what the form shows. Another site can read
neither the page nor the token. Tokens become invalid after an hour, and after a restart.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

_LONGEST_AGE = timedelta(hours=1)
_NOT_OURS = "the form was not sent by a page of this address"


def cross_site_note(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Why the form does not come from one of our pages, or "" if it does.

    The scheme is not compared, because a proxy may terminate TLS.
    """
    found = [(name, value.decode("latin-1").casefold()) for name, value in headers]
    origin, host, site = (
        [value for name, value in found if name == wanted]
        for wanted in (b"origin", b"host", b"sec-fetch-site")
    )
    if len(origin) != 1 or len(host) != 1:
        return f"{_NOT_OURS}: it has no Origin, or several"
    if not host[0] or _authority(origin[0]) != host[0]:
        return f"{_NOT_OURS}: its Origin does not match its Host; a proxy must pass on the Host of its client"
    return "" if site in ([], ["same-origin"]) else f"{_NOT_OURS}: Sec-Fetch-Site is not same-origin"


class FormTokens:
    """Makes and checks the tokens of forms. Only this process knows `key`."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def token(self, at: datetime, *shown: str) -> str:
        """The token for a form made at `at`. `shown` are the person and all that the person agrees to."""
        return self._token(str(int(at.timestamp())), shown)

    def is_valid(self, token: str, now: datetime, *shown: str) -> bool:
        """Whether `token` belongs to the form with these values, and is not too old."""
        made, _, _ = token.partition(".")
        if not token.isascii() or not hmac.compare_digest(token, self._token(made, shown)):
            return False
        return now.timestamp() - int(made) <= _LONGEST_AGE.total_seconds()

    def _token(self, made: str, shown: Sequence[str]) -> str:
        return f"{made}.{hmac.new(self._key, _unambiguous((made, *shown)), hashlib.sha256).hexdigest()}"


def _authority(origin: str) -> str:
    """The host and port of an origin, or "" for the origin "null"."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _unambiguous(texts: Sequence[str]) -> bytes:
    return json.dumps(list(texts)).encode()
