"""A webhook that reaches a standby reaches the leader, too, and nobody else."""

import functools
import hmac
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Event
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from reconciler.cluster.relay import Relay
from reconciler.daemon.leadership import RELAYED, Alone, Leader
from reconciler.simulator.certificates import make
from reconciler.web.server import Server
from reconciler.web.tls import Certificate
from reconciler.web.webhook import Webhooks

SECRET = b"secret"
PATIENCE = 20.0


class Standby(Alone):
    """A replica that is on standby while another one leads."""

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

    def push(self, _is_relayed: bool) -> bool:
        self.pushes += 1
        self.first.set()
        return True


@contextmanager
def leader(secret: bytes = SECRET) -> Iterator[Received]:
    received = Received()
    server = Server(Webhooks(lambda: secret, received.push), "127.0.0.1", 0)
    received.address = server.url.removeprefix("http://")
    yield received
    server.close()


@contextmanager
def relay(known: Leader | None, apart: timedelta = timedelta()) -> Iterator[Callable[[], object]]:
    each = Relay(Standby(known), lambda: SECRET, apart)
    yield functools.partial(each.pass_on, is_relayed=False)
    each.close()


class Replica:
    """A replica that receives webhooks and passes them on. It leads, or holds another one for the leader."""

    def __init__(self) -> None:
        self.lead = Standby(None)
        self.pushes: list[bool] = []  # whether each was relayed
        self._relay = Relay(self.lead, lambda: SECRET, timedelta())
        self._server = Server(Webhooks(lambda: SECRET, self._receive), "127.0.0.1", 0)
        self.address = self._server.url.removeprefix("http://")

    def _receive(self, is_relayed: bool) -> bool:
        self.pushes.append(is_relayed)
        return self._relay.pass_on(is_relayed=is_relayed)

    def post(self, headers: Mapping[str, str]) -> tuple[int, str]:
        """The response to a webhook of a forge."""
        signed = {"X-Signature": f"sha256={hmac.new(SECRET, b'{}', sha256).hexdigest()}"}
        request = Request(f"http://{self.address}/hooks/generic", b"{}", {**signed, **headers}, method="POST")
        try:
            with urlopen(request, timeout=PATIENCE) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def close(self) -> None:
        self._server.close()
        self._relay.close()


@pytest.fixture
def pair() -> Iterator[tuple[Replica, Replica]]:
    first, second = Replica(), Replica()
    yield first, second
    first.close()
    second.close()


def test_two_replicas_that_hold_each_other_for_the_leader_pass_a_webhook_on_once(
    pair: tuple[Replica, Replica],
) -> None:
    first, second = pair
    first.lead.leader, second.lead.leader = Leader("2", second.address), Leader("1", first.address)
    assert first.post({})[0] == 202
    time.sleep(0.5)  # at a hop a millisecond, hundreds if it went back and forth
    assert (first.pushes, second.pushes) == ([False], [True])


@pytest.mark.parametrize(
    ("leader", "status"),
    [
        pytest.param(Leader("this", "10.0.0.7:8081", is_this=True), 202, id="by the leader"),
        pytest.param(Leader("other", "10.0.0.8:8081"), 503, id="by a standby"),
        pytest.param(None, 503, id="by a replica that knows no leader"),
    ],
)
def test_a_webhook_that_was_passed_on_is_accepted(
    pair: tuple[Replica, Replica], leader: Leader | None, status: int
) -> None:
    replica, _ = pair
    replica.lead.leader = leader
    answered, text = replica.post({RELAYED: "1"})
    assert answered == status
    assert ("this replica does not lead" in text) == (status == 503)


def test_a_webhook_is_passed_on_to_the_leader() -> None:
    with leader() as received, relay(Leader("other", received.address)) as pass_on:
        pass_on()
        assert received.first.wait(PATIENCE)


def test_what_is_passed_on_has_neither_the_secret_nor_the_webhook() -> None:
    """A person who may write the Lease may have it sent anywhere."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(PATIENCE)
        replica = Replica()
        replica.lead.leader = Leader("other", f"127.0.0.1:{stranger.getsockname()[1]}")
        with closing(replica):
            assert replica.post({"X-Event": "push of ada"})[0] == 202
            client, _ = stranger.accept()
            with client:
                client.settimeout(PATIENCE)
                received = b""
                while b"passed on by a standby" not in received:
                    received += client.recv(65536)
    assert received.startswith(b"POST /hooks/generic ")
    assert SECRET not in received
    assert b"ada" not in received


def test_a_webhook_is_passed_on_over_tls_if_that_is_how_they_are_received(tmp_path: Path) -> None:
    files, received = make(tmp_path), Received()
    certificate = Certificate(files.chain, files.key)
    server = Server(Webhooks(lambda: SECRET, received.push), "127.0.0.1", 0, certificate=certificate)
    known = Leader("other", server.url.removeprefix("https://"))
    each = Relay(Standby(known), lambda: SECRET, timedelta(), scheme="https")
    with closing(server), closing(each):
        each.pass_on(is_relayed=False)
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
