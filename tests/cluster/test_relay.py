"""A webhook that reaches a standby reaches the leader, too."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

import pytest

from reconciler.cluster.relay import Relay
from reconciler.daemon.leadership import Alone, Leader
from reconciler.web.server import Server
from reconciler.web.webhook import Webhooks

SECRET = b"secret"
PATIENCE = 20.0


class Standby(Alone):
    """A replica that stands by while another one leads."""

    is_shared = True
    term = 0

    def __init__(self, leader: Leader | None) -> None:
        self.leader = leader


@dataclass
class Received:
    """What the leader has received."""

    pushes: int = 0
    address: str = ""
    first: Event = field(default_factory=Event)

    def push(self) -> None:
        self.pushes += 1
        self.first.set()


@contextmanager
def leader(secret: bytes = SECRET) -> Iterator[Received]:
    received = Received()
    server = Server(Webhooks(lambda: secret, received.push), "127.0.0.1", 0)
    received.address = server.url.removeprefix("http://")
    yield received
    server.close()


@contextmanager
def relay(known: Leader | None, apart: timedelta = timedelta()) -> Iterator[Callable[[], None]]:
    each = Relay(Standby(known), lambda: SECRET, apart)
    yield each.pass_on
    each.close()


def test_a_webhook_is_passed_on_to_the_leader() -> None:
    with leader() as received, relay(Leader("other", received.address)) as pass_on:
        pass_on()
        assert received.first.wait(PATIENCE)


def test_many_webhooks_are_passed_on_as_few() -> None:
    with leader() as received, relay(Leader("other", received.address), timedelta(minutes=1)) as pass_on:
        pass_on()
        assert received.first.wait(PATIENCE)
        for _ in range(100):
            pass_on()
        time.sleep(0.2)
        assert received.pushes == 1


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(lambda _: None, id="nobody leads"),
        pytest.param(lambda address: Leader("me", address, is_this=True), id="this replica leads"),
        pytest.param(lambda _: Leader("other"), id="a leader whose address is unknown"),
        pytest.param(lambda _: Leader("other", "127.0.0.1:1"), id="a leader that does not answer"),
    ],
)
def test_a_webhook_that_cannot_be_passed_on_is_forgotten(known: Callable[[str], Leader | None]) -> None:
    with leader() as received, relay(known(received.address)) as pass_on:
        pass_on()
        time.sleep(0.2)
        assert received.pushes == 0


def test_a_leader_with_another_secret_ignores_it() -> None:
    with leader(b"another") as received, relay(Leader("other", received.address)) as pass_on:
        pass_on()
        time.sleep(0.2)
        assert received.pushes == 0
