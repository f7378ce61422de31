"""Webhooks from git forges. A push makes the daemon sweep immediately instead of within a minute.

    POST /hooks/github        X-Hub-Signature-256: HMAC-SHA256 of the body
    POST /hooks/gitlab        webhook-signature (Standard Webhooks), or else X-Gitlab-Token: the secret itself
    POST /hooks/azure-devops  Basic authentication; the password is the secret
    POST /hooks/generic       X-Signature: HMAC-SHA256 of the body, as in Flux's generic-hmac

A webhook is only a hint. It can cause a sweep, but git decides what is new. The body is verified but never
parsed, so nothing in it has an effect. Secrets are compared in constant time.

A standby passes a webhook on to the leader, with a header that says so. If the receiving replica does not
lead either, it responds with 503.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus

from reconciler.daemon.leadership import RELAYED
from reconciler.web.response import Headers, Response

_NOT_THE_LEADER = (
    b"another replica passed this webhook on as to the leader, but this replica does not lead; it goes no "
    b"further; check that --webhook-listen of each replica is an address of its own\n"
)
_MAX_AGE = timedelta(minutes=5)  # of a signed time, in either direction, as Standard Webhooks has it


@dataclass(frozen=True, slots=True)
class _Forge:
    """How a forge proves who it is, and which values of `event_header` mean a push.

    `event_header` is "" if the forge has no such header.
    """

    is_authentic: Callable[[Headers, bytes, bytes, datetime], bool]
    event_header: str = ""
    push_events: frozenset[str] = frozenset()


class Webhooks:
    """Responds to webhooks. `on_push` is called for each authentic push, and must return immediately.

    The argument of `on_push` says whether another replica passed the push on, taking this one for the leader.
    `on_push` returns False if this replica is not the leader. `secret` is called for each webhook. It must
    not return an empty secret, because anyone could sign with that.
    """

    def __init__(
        self,
        secret: Callable[[], bytes],
        on_push: Callable[[bool], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secret = secret
        self._on_push = on_push
        self._now = now

    def get(self, _path: str) -> Response:
        """Refuse a GET. Webhooks use POST."""
        return Response(HTTPStatus.METHOD_NOT_ALLOWED, b"a webhook is posted\n")

    def post(self, path: str, headers: Headers, body: bytes, _peer: str = "") -> Response:
        """Respond to a webhook. Only an authentic push has an effect."""
        forge = _FORGES.get(path.split("?", 1)[0])
        if forge is None:
            return Response(
                HTTPStatus.NOT_FOUND, f"no such webhook; use one of {', '.join(_FORGES)}\n".encode()
            )
        secret = self._secret()
        if not secret:
            raise ValueError("the secret of the webhooks is empty")
        if not forge.is_authentic(headers, body, secret, self._now()):
            return Response(HTTPStatus.UNAUTHORIZED, b"the signature or secret is missing or wrong\n")
        event = headers.get(forge.event_header, "")
        if forge.push_events and event not in forge.push_events:
            return Response(HTTPStatus.OK, b"ignored: not a push\n")
        if not self._on_push(RELAYED.lower() in headers):
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, _NOT_THE_LEADER)
        return Response(HTTPStatus.ACCEPTED, b"the specs are fetched now\n")


def _is_signed_by_github(headers: Headers, body: bytes, secret: bytes, _now: datetime) -> bool:
    return _is_signature(headers.get("x-hub-signature-256", ""), body, secret)


def _is_from_gitlab(headers: Headers, body: bytes, secret: bytes, now: datetime) -> bool:
    """Whether the webhook is from GitLab. A valid token does not make up for an invalid signature."""
    if "webhook-signature" in headers:
        return _is_standard_webhook(headers, body, secret, now)
    return hmac.compare_digest(_bytes(headers.get("x-gitlab-token", "")), secret)


def _has_password(headers: Headers, _body: bytes, secret: bytes, _now: datetime) -> bool:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    try:
        pair = base64.b64decode(credentials, validate=True)
    except (binascii.Error, ValueError):
        pair = b""
    is_equal = hmac.compare_digest(pair.partition(b":")[2], secret)
    return scheme.lower() == "basic" and is_equal


def _is_signed_generically(headers: Headers, body: bytes, secret: bytes, _now: datetime) -> bool:
    return _is_signature(headers.get("x-signature", ""), body, secret)


def _is_signature(value: str, body: bytes, secret: bytes) -> bool:
    """Whether the value is "sha256=" and the HMAC of the body in hexadecimal digits."""
    expected = f"sha256={hmac.new(secret, body, sha256).hexdigest()}"
    return hmac.compare_digest(_bytes(value), expected.encode())


def _is_standard_webhook(headers: Headers, body: bytes, secret: bytes, now: datetime) -> bool:
    """Whether one of the signatures covers the id, the time and the body, and the time is recent.

    Source: the Standard Webhooks specification. There may be several signatures, separated by spaces, one for
    each key.
    """
    id_, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _is_recent(at, now):
        return False
    signed = b".".join((_bytes(id_), at.encode(), body))
    digest = hmac.new(_standard_key(secret), signed, sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    return any(
        hmac.compare_digest(_bytes(each), expected) for each in headers["webhook-signature"].split(" ")
    )


def _standard_key(secret: bytes) -> bytes:
    """The key that "whsec_…" encodes, or the secret itself if it has another form."""
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return secret


def _is_recent(at: str, now: datetime) -> bool:
    if not (at.isascii() and at.isdigit() and len(at) < 12):
        return False
    return abs(now - datetime.fromtimestamp(int(at), UTC)) <= _MAX_AGE


def _bytes(value: str) -> bytes:
    """A header as it was sent. Starlette decodes headers as Latin-1."""
    return value.encode("latin-1", errors="replace")


_FORGES = {
    "/hooks/github": _Forge(_is_signed_by_github, "x-github-event", frozenset({"push"})),
    "/hooks/gitlab": _Forge(_is_from_gitlab, "x-gitlab-event", frozenset({"Push Hook", "Tag Push Hook"})),
    "/hooks/azure-devops": _Forge(_has_password),
    "/hooks/generic": _Forge(_is_signed_generically),
}
