"""A connection to the HTTP server, with limits on the number of connections and on their duration.

A connection that is waiting for a request gives way to a new one, so that idle clients do not keep others
from being served. uvicorn has neither limit: it would keep a client that sends one byte a minute, or that
reads nothing, forever.
"""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_HEADER_BYTES = 65_536
"""The longest request line with its headers. What is longer is refused."""

_TOO_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class Room:
    """The connections to one server, at most `most` of them.

    If a new connection finds no room, the connection that has waited longest for a request is closed. If none
    is waiting, the new connection is closed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: dict[asyncio.Protocol, asyncio.Transport] = {}
        self._waiting: dict[asyncio.Protocol, None] = {}  # in the order in which they began to wait

    def admit(self, connection: asyncio.Protocol, transport: asyncio.Transport) -> bool:
        """Admit a connection, which then waits for a request, or close it. Returns whether it is admitted."""
        if connection not in self._all and len(self._all) >= self._most:
            longest = next(iter(self._waiting), None)
            if longest is None:
                transport.abort()
                return False
            self._all[longest].abort()
            self.leave(longest)
        self._all[connection] = transport
        self.wait(connection)
        return True

    def wait(self, connection: asyncio.Protocol) -> None:
        """Record that the connection is waiting for a request, unless it has left."""
        if connection in self._all:
            self._waiting.setdefault(connection)

    def work(self, connection: asyncio.Protocol) -> None:
        """Record that the connection has a request, so that it keeps its place."""
        self._waiting.pop(connection, None)

    def leave(self, connection: asyncio.Protocol) -> None:
        self._all.pop(connection, None)
        self._waiting.pop(connection, None)


class Connection(H11Protocol):
    """A connection that takes a place in `room`.

    `patience` limits the time to receive a whole request, however slowly it is sent, and the time until the
    client has read what was written. The response itself may take any time, because an event stream lasts for
    hours.
    """

    def __init__(self, *args: Any, patience: timedelta, room: Room, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = patience.total_seconds()
        self._room = room
        self._request_deadline: asyncio.TimerHandle | None = None
        self._read_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._room.admit(self, transport):
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._request_deadline = _without(self._request_deadline)
        self._read_deadline = _without(self._read_deadline)
        self._room.leave(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether to keep the connection open although the client will send nothing more.

        The connection stays open only for a response that has not begun. An event stream ends, because its
        client is gone.
        """
        cycle = self.cycle
        is_answered = cycle is None or cycle.response_complete or cycle.response_started
        if not is_answered:
            cycle.keep_alive = False
        return (
            not is_answered and self.transport.get_extra_info("sslcontext") is None
        )  # TLS has no half-close

    def handle_events(self) -> None:
        super().handle_events()
        self._await_request()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the name of the base class
        """Refuse a request that is not HTTP, or whose headers are too long."""
        is_too_long = len(self.conn.trailing_data[0]) > MOST_HEADER_BYTES
        status = _TOO_LONG if is_too_long else HTTPStatus.BAD_REQUEST
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = f"{status.phrase}\n".encode()
            head = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            length = [(b"content-length", str(len(body)).encode())]
            for event in (
                h11.Response(status_code=status, headers=head + length, reason=status.phrase),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._await_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_deadline = _without(self._read_deadline)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()  # until then, the client has to read this response

    def _await_request(self) -> None:
        """Abort the connection unless the whole request arrives in time."""
        is_whole = self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}
        if is_whole:
            self._request_deadline = _without(self._request_deadline)
            self._room.work(self)
        elif self._request_deadline is None:
            self._room.wait(self)
            self._request_deadline = self.loop.call_later(self._patience, self.transport.abort)

    def _await_reader(self) -> None:
        """Abort the connection unless the client reads in time."""
        if self._read_deadline is None:
            self._read_deadline = self.loop.call_later(self._patience, self._end_unread)

    def _end_unread(self) -> None:
        self._read_deadline = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()


def _without(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Cancel the timer, if there is one. Returns None, which replaces the timer."""
    if timer is not None:
        timer.cancel()
    return None
