"""Passes webhooks on to the leader, so that it does not matter which replica a forge reaches.

A webhook is only a hint, so a standby sends the leader a new webhook, signed with the secret that all
replicas share. A lost webhook costs no more than the wait until the next sweep. A relayed webhook is not
relayed again, so replicas with wrong addresses do not pass it back and forth forever.
"""

import hmac
import logging
import ssl
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from http.client import HTTPException
from threading import Event, Thread
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from reconciler.daemon.leadership import RELAYED, Leadership

_log = logging.getLogger("reconciler")

# At most one is passed on in this time: the leader sweeps no more often.
APART = timedelta(seconds=4)
_PATIENCE = 5.0  # seconds
_BODY = b"passed on by a standby\n"
# A Pod is reached by its address, which is in no certificate. What is sent is signed, and says nothing.
_UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNVERIFIED.check_hostname = False
_UNVERIFIED.verify_mode = ssl.CERT_NONE
_DIRECT = build_opener(ProxyHandler({}), HTTPSHandler(context=_UNVERIFIED))  # Pods need no proxy


class Relay:
    """Passes webhooks on while this replica is on standby, at most one hop."""

    def __init__(
        self,
        leadership: Leadership,
        secret: Callable[[], bytes],
        apart: timedelta = APART,
        *,
        scheme: str = "http",
    ) -> None:
        """`scheme` is "https" if webhooks are received over TLS."""
        self._leadership = leadership
        self._scheme = scheme
        self._secret = secret
        self._apart = apart
        self._wanted = Event()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def pass_on(self, *, is_relayed: bool) -> bool:
        """Tell the leader that a webhook has arrived. Returns immediately.

        `is_relayed` is true if another replica passed the webhook on. Such a webhook goes no further, and the
        result is False if this replica does not lead.
        """
        if is_relayed:
            leader = self._leadership.leader
            return leader is not None and leader.is_this
        self._wanted.set()
        return True

    def close(self) -> None:
        """Stop the thread, without waiting for it."""
        self._closing.set()
        self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait() and not self._closing.is_set():
            self._wanted.clear()
            leader = self._leadership.leader
            if leader and leader.address and not leader.is_this:
                self._send(leader.address)
                self._closing.wait(self._apart.total_seconds())

    def _send(self, address: str) -> None:
        signature = hmac.new(self._secret(), _BODY, sha256).hexdigest()
        headers = {"X-Signature": f"sha256={signature}", "Content-Type": "text/plain", RELAYED: "1"}
        try:
            url = f"{self._scheme}://{address}/hooks/generic"
            request = Request(url, _BODY, headers, method="POST")  # noqa: S310 - http or https
            with _DIRECT.open(request, timeout=_PATIENCE):
                _log.debug("passed a webhook on to %s", address)
        except (OSError, HTTPException, ValueError) as error:
            _log.debug("a webhook could not be passed on to %s (%s)", address, error)
