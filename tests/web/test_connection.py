"""The room of a server for connections, and who takes or leaves a place in it, without any network."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from reconciler.web.connection import Connection, Room
from reconciler.web.tls import Handshake


class Wire(asyncio.Transport):
    """A transport that only remembers whether it was cut off."""

    def __init__(self, *, is_cut: bool = False) -> None:
        super().__init__()
        self.is_cut = is_cut

    def abort(self) -> None:
        self.is_cut = True

    def is_closing(self) -> bool:
        return self.is_cut

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


def wait_again(room: Room, connection: asyncio.Protocol) -> None:
    room.wait(connection)


def work_and_wait(room: Room, connection: asyncio.Protocol) -> None:
    room.work(connection)
    room.wait(connection)


def only_work(room: Room, connection: asyncio.Protocol) -> None:
    room.work(connection)


@pytest.mark.parametrize(
    ("first_does", "cut"),
    [
        pytest.param(wait_again, ["first"], id="waiting twice keeps the place"),
        pytest.param(work_and_wait, ["second"], id="waiting after a request is a new wait"),
        pytest.param(only_work, ["second"], id="a request in progress is not cut off"),
    ],
)
def test_the_connection_that_has_waited_longest_makes_room(
    first_does: Callable[[Room, asyncio.Protocol], None], cut: list[str]
) -> None:
    room, wires = Room(2), {name: Wire() for name in ("first", "second", "third")}
    connections = {name: asyncio.Protocol() for name in wires}
    for name in ("first", "second"):
        assert room.admit(connections[name], wires[name])
    first_does(room, connections["first"])
    assert room.admit(connections["third"], wires["third"])
    assert [name for name, wire in wires.items() if wire.is_cut] == cut


def test_a_connection_that_has_left_does_not_wait() -> None:
    room, gone, waiting = Room(1), asyncio.Protocol(), Wire()
    assert room.admit(gone, Wire())
    room.leave(gone)
    room.wait(gone)
    assert room.admit(asyncio.Protocol(), waiting)
    assert room.admit(asyncio.Protocol(), Wire())
    assert waiting.is_cut


def test_a_new_connection_is_cut_off_if_none_waits() -> None:
    room, busy, late = Room(1), asyncio.Protocol(), Wire()
    assert room.admit(busy, Wire())
    room.work(busy)
    assert not room.admit(asyncio.Protocol(), late)
    assert late.is_cut


def test_a_connection_that_is_secured_keeps_its_one_place() -> None:
    room, connection, plain, secured = Room(1), asyncio.Protocol(), Wire(), Wire()
    assert room.admit(connection, plain)
    assert room.admit(connection, secured)
    assert (plain.is_cut, secured.is_cut) == (False, False)
    assert room.admit(asyncio.Protocol(), Wire())
    assert (plain.is_cut, secured.is_cut) == (False, True)


class Plain(asyncio.Protocol):
    """What the handshake hands over to."""

    transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


@pytest.mark.parametrize(
    ("is_secured", "is_cut_meanwhile", "is_made"),
    [
        pytest.param(True, False, True, id="a handshake"),
        pytest.param(False, False, False, id="a handshake that fails"),
        pytest.param(True, True, False, id="a handshake that ends after the connection was cut off"),
    ],
)
def test_a_connection_without_a_handshake_leaves_its_place(
    monkeypatch: pytest.MonkeyPatch, *, is_secured: bool, is_cut_meanwhile: bool, is_made: bool
) -> None:
    room, connection, wire, secured = Room(1), Plain(), Wire(), Wire()

    async def start_tls(*_: object, **__: object) -> Wire:
        wire.is_cut = is_cut_meanwhile
        if not is_secured:
            raise ConnectionResetError
        return secured

    async def shake() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        Handshake(
            cast("Connection", connection), context, room=room, patience=timedelta(seconds=1)
        ).connection_made(wire)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    asyncio.run(shake())
    assert connection.transport is (secured if is_made else None)
    before = wire.is_cut
    assert room.admit(asyncio.Protocol(), Wire())
    assert (wire.is_cut != before) == is_made, "only a connection in the room is cut off for another"
