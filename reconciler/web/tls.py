"""TLS for the HTTP server: a certificate that may be replaced while it runs, and limits on handshakes.

uvicorn would see a connection only after its handshake, and would allow a minute for the handshake.
"""

import asyncio
import logging
import ssl
from datetime import timedelta
from pathlib import Path
from typing import cast

from reconciler.web.connection import Connection, Room

_log = logging.getLogger("reconciler")


class CertificateError(Exception):
    """The files are not a certificate and its key."""


class Certificate:
    """A certificate with its chain, and its key, in two PEM files. Raises CertificateError.

    If new files do not match or cannot be read, the last pair remains in use, and an error is logged.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._stamps = self._stamp()
        self._context = self._load()

    @property
    def context(self) -> ssl.SSLContext:
        """The context for a new connection, from the files as they are now."""
        if (stamps := self._stamp()) != self._stamps:
            self._stamps = stamps
            try:
                self._context = self._load()
                _log.info("the TLS certificate was replaced")
            except CertificateError as error:
                _log.error("%s; the last certificate remains in use", error)
        return self._context

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, self._files))

    def _load(self) -> ssl.SSLContext:
        """Load the files into a new context. An existing one might keep half of a pair that fails to load."""
        certificate, key = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            reason = (error.reason or "unreadable").replace("_", " ").lower()
            raise CertificateError(
                f"{certificate} and {key} are no certificate with its key, in PEM and without a passphrase "
                f"({reason})"
            ) from error
        except OSError as error:
            raise CertificateError(f"{certificate} and {key}: {error.strerror}") from error
        return context


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """A stamp that changes with the content of a file, or None if the file cannot be read."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Handshake(asyncio.Protocol):
    """A TLS handshake, which takes a place in `room` and then hands the connection over.

    `patience` limits the time for the handshake.
    """

    def __init__(
        self, connection: Connection, context: ssl.SSLContext, *, room: Room, patience: timedelta
    ) -> None:
        self._connection = connection
        self._context = context
        self._room = room
        self._patience = patience.total_seconds()
        self._early = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        if self._room.admit(self._connection, plain):
            self._task = asyncio.get_running_loop().create_task(self._secure(plain))

    def data_received(self, data: bytes) -> None:
        """Keep data that arrives together with the end of the handshake."""
        self._early += data

    async def _secure(self, plain: asyncio.Transport) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                plain,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._patience,
                ssl_shutdown_timeout=self._patience,
            )
        except OSError:  # a client that speaks no TLS, breaks off, or takes too long
            secured = None
        if secured is None or plain.is_closing():
            self._room.leave(self._connection)
            return
        secured.set_protocol(self._connection)
        self._connection.connection_made(secured)
        if self._early:
            self._connection.data_received(bytes(self._early))
