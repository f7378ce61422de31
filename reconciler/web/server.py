"""The HTTP server of the daemon: uvicorn in its own thread, with limits.

It serves a `Handler`, such as the probes of `status` or the webhooks, and the routes of a `Site`.
"""

import asyncio
import errno
import functools
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Thread
from typing import Any, Protocol

import uvicorn
from starlette.routing import BaseRoute

from reconciler.web.application import Handler, application
from reconciler.web.connection import MOST_HEADER_BYTES, Connection, Room
from reconciler.web.tls import Certificate, Handshake

# At once. The pages, the probes and the webhooks together stay below 1,024, a usual limit of descriptors.
_MOST = 200
_MOST_WITH_SITE = 512  # twice as many as there may be event streams, so that a probe is always served
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
_PATIENCE = timedelta(seconds=10)
_TURN = timedelta(milliseconds=1)  # for which a thread keeps the interpreter while others wait for it
_CLOSE_SECONDS = 2  # for the responses in progress: an event stream would otherwise never end


class Site(Protocol):
    """Pages that a server serves in addition to its handler."""

    @property
    def routes(self) -> Sequence[BaseRoute]: ...

    def close(self) -> None:
        """End the responses that would not end by themselves. Called in the server's thread."""
        ...


class Server:
    """Serves a handler, and the pages of a site, on an address until closed.

    Port 0 means any free port, and `url` has the actual port. `patience` limits the time to receive a whole
    request, however slowly a client sends it, and the time until the client has read the response. With a
    `certificate`, the server speaks TLS. Raises OSError if it cannot listen on the address.
    """

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        patience: timedelta = _PATIENCE,
        *,
        site: Site | None = None,
        certificate: Certificate | None = None,
        most: int | None = None,
    ) -> None:
        """`most` limits the connections. The default has room for the event streams of a site."""
        self._listener = _listen(host, port)
        self._scheme = "https" if certificate else "http"
        room = Room(most or (_MOST_WITH_SITE if site else _MOST))
        self._server = _Uvicorn(
            uvicorn.Config(
                application(handler, site.routes if site else ()),
                http=_protocol(certificate, patience, room),  # type: ignore[arg-type]
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # a client that sends no HTTP is not news
                access_log=False,  # probes come every few seconds, and the log is for the fleet
                proxy_headers=False,  # they would name another client than the one that is connected
                server_header=False,
                timeout_graceful_shutdown=_CLOSE_SECONDS,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
            ),
            site.close if site else lambda: None,
        )
        # An update of a large fleet takes tens of milliseconds of CPU. By default, a reconcile would wait up
        # to 5 ms for the interpreter after each response from Azure.
        sys.setswitchinterval(_TURN.total_seconds())
        self._thread = Thread(target=self._server.run, args=([self._listener],), name="web", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._address
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"{self._scheme}://{name}:{port}"

    @functools.cached_property
    def _address(self) -> tuple[Any, Any]:
        host, port = self._listener.getsockname()[:2]
        return host, port

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


class _Uvicorn(uvicorn.Server):
    """A uvicorn server that calls `on_close` when it begins to shut down."""

    def __init__(self, config: uvicorn.Config, on_close: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_close = on_close

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_close()
        await asyncio.sleep(0)
        await super().shutdown(sockets)


def _protocol(
    certificate: Certificate | None, patience: timedelta, room: Room
) -> Callable[..., asyncio.Protocol]:
    """The factory that makes the protocol of each connection: HTTP, or HTTP over TLS."""
    plain = functools.partial(Connection, patience=patience, room=room)
    if certificate is None:
        return plain

    def secured(*args: Any, **kwargs: Any) -> Handshake:
        return Handshake(plain(*args, **kwargs), certificate.context, room=room, patience=patience)

    return secured


def _listen(host: str, port: int) -> socket.socket:
    """Open a listening socket. On a machine without IPv6, "::" means every IPv4 address."""
    try:
        return _listen_at(host, port)
    except OSError as error:
        if host != "::" or error.errno not in _NO_IPV6:
            raise
    return _listen_at("0.0.0.0", port)  # noqa: S104 - "::" asks for every address


def _listen_at(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is IPv4 too
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
