"""TLS for the HTTP server: a certificate that may be replaced during operation, and limits on handshakes.

uvicorn would count a connection only after its handshake, and would allow a minute for the handshake.
"""

import asyncio
import logging
import ssl
from asyncio.sslproto import SSLProtocol
from datetime import timedelta
from pathlib import Path
from typing import Any

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
        """A new context. An existing one might keep half of a pair that it failed to load."""
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


class SecuredConnection(SSLProtocol):
    """TLS around a connection. It is closed at once if there are `most` others, handshakes included."""

    def __init__(
        self,
        inner: asyncio.Protocol,
        context: ssl.SSLContext,
        *,
        others: "set[SecuredConnection]",
        patience: timedelta,
        most: int,
    ) -> None:
        """`patience` limits the time for the handshake. `others` are the connections of the server."""
        super().__init__(
            asyncio.get_running_loop(),
            inner,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=patience.total_seconds(),  # type: ignore[arg-type]
            ssl_shutdown_timeout=patience.total_seconds(),
        )
        self._others = others
        self._most = most

    def connection_made(self, transport: Any) -> None:
        is_full = len(self._others) >= self._most
        self._others.add(self)
        if is_full:
            self._transport = transport
            transport.abort()
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._others.discard(self)
        super().connection_lost(exc)
