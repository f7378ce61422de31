"""The pages, as a real server shows them to a real client."""

import asyncio
import contextlib
import errno
import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse
from starlette.routing import Route

from reconciler import __version__
from reconciler.daemon.conditions import conditions
from reconciler.daemon.history import Ending, History, RolloutRecord
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.revision import Revision
from reconciler.daemon.states import ScaleSetStates
from reconciler.daemon.store import Store, Sweep
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import Upgrade
from reconciler.web.page.routes import PageSite
from reconciler.web.response import Response
from reconciler.web.server import Server
from reconciler.web.status import Pages, Probes
from tests.build import NEW, NOW, OLD, SUBSCRIPTION, model, spec
from tests.daemon.states import state, store_of

COMMIT = "5d41402abc4b2a76b9719d911017c592e0d7a2f6"
OVERDUE = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
Get = Callable[[str], tuple[int, str, str]]


def unread() -> Store:
    """What there is before the first sweep has finished."""
    return Store()


def pages() -> Pages:
    """What is served of a rollout."""
    store = rolling()
    return Pages(store, Probes(store, OVERDUE))


def unreadable() -> Store:
    """A first sweep that found nothing it could use."""
    errors = ("specs/web.yaml:3:1: metadata is missing", "specs/api.yaml:1:1: holds no document")
    return Store(Sweep(NOW, "", "", errors))


def rolling() -> Store:
    """A scale set whose second domain is being upgraded, and one before its first reconcile."""
    first, second = (Domain("", "", number, "update domain") for number in (0, 1))
    counts = InstanceCounts((DomainCounts(first, 2, 2, 2, 0), DomainCounts(second, 2, 0, 0, 1)))
    step = Upgrade(("1",), NEW)
    gates = (Gate("windows", "open until 12:00"), Gate("approval", "is not", Reason.AWAITING_APPROVAL, NOW))
    outcome = Outcome(
        *("web", COMMIT, NOW, Reason.UPGRADING, "update domain 1", Status.RECONCILING, step),
        gates=gates,
        requeue_after=15 * SECOND,
    )
    seen: dict[str, Any] = {
        "outcome": outcome,
        "counts": counts,
        "model": model(),
        "instances_at": NOW,
        "known_at": NOW,
        "since": NOW,
    }
    before = state("web", commit=COMMIT, **seen)
    over = RolloutRecord(OLD, OLD, COMMIT, None, None, ended=NOW, ending=Ending.FAILED)
    record = RolloutRecord(NEW, NEW, COMMIT, OLD, NOW - 90 * SECOND, batches=1, instances=2)
    told: dict[str, Any] = {
        "conditions": conditions(before),
        "concluded": before.revision,
        "history": History((record, over)),
    }
    store = store_of(state("web", commit=COMMIT, **seen, **told), state("api", None, commit=COMMIT))
    store.last_sweep = Sweep(NOW, COMMIT, "Move web", ())
    return store


REVISION = {"commit": COMMIT, "spec": Revision.of(spec(), COMMIT).spec}


def unseen() -> list[dict[str, Any]]:
    return [
        {
            "type": each,
            "status": "Unknown",
            "reason": "NotObserved",
            "message": "",
            "lastTransitionTime": None,
            "observedRevision": None,
        }
        for each in ("Ready", "Reconciling", "Stalled", "Healthy", "Drifted")
    ]


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    """A condition of a scale set that was first observed at NOW."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": NOW.isoformat(),
        "observedRevision": REVISION,
    }


def held() -> Store:
    """The specs of an earlier commit are in force, because the last one has an error."""
    store = rolling()
    store.last_sweep = Sweep(NOW, COMMIT, "Move web", ("specs/web.yaml:3:1: metadata is missing",))
    return store


def empty() -> Store:
    """Specs without errors that declare nothing."""
    return Store(Sweep(NOW, COMMIT, "Remove all", ()))


@contextmanager
def served(store: Store, after: timedelta = timedelta(0)) -> Iterator[Get]:
    """A way to get the pages of a daemon that started at NOW and has reached `after`."""
    times = iter((NOW,))
    probes = Probes(store, OVERDUE, lambda: next(times, NOW + after))
    server = Server(Pages(store, probes), "127.0.0.1", 0)
    try:
        yield lambda path: get(f"{server.url}{path}")
    finally:
        server.close()


def get(url: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


ABRUPTLY = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing resets the connection


@pytest.mark.parametrize(
    "store, after, path, status, body",
    [
        pytest.param(rolling, SECOND, "/livez", 200, "ok\n", id="alive while sweeps run"),
        pytest.param(rolling, SECOND, "/livez?verbose", 200, "ok\n", id="a query string is ignored"),
        pytest.param(rolling, OVERDUE, "/livez", 200, "ok\n", id="alive while a sweep is late"),
        pytest.param(
            rolling,
            OVERDUE + SECOND,
            "/livez",
            503,
            "no sweep for 601 s\n",
            id="not alive after an overdue sweep",
        ),
        pytest.param(unread, SECOND, "/livez", 200, "ok\n", id="alive before the first sweep"),
        pytest.param(
            unread,
            OVERDUE + SECOND,
            "/livez",
            503,
            "no sweep for 601 s\n",
            id="not alive if the first sweep is overdue",
        ),
        pytest.param(unreadable, SECOND, "/livez", 200, "ok\n", id="alive with errors in the specs"),
        pytest.param(rolling, SECOND, "/readyz", 200, "ok\n", id="ready once the fleet is listed"),
        pytest.param(empty, SECOND, "/readyz", 200, "ok\n", id="ready without any declared scale set"),
        pytest.param(held, SECOND, "/readyz", 200, "ok\n", id="ready with an earlier commit in force"),
        pytest.param(
            unread,
            SECOND,
            "/readyz",
            503,
            "the first sweep has not finished yet\n",
            id="not ready before the first sweep",
        ),
        pytest.param(
            unreadable,
            SECOND,
            "/readyz",
            503,
            "specs/web.yaml:3:1: metadata is missing\nspecs/api.yaml:1:1: holds no document\n",
            id="not ready without specs in force, with the reason",
        ),
        pytest.param(
            rolling,
            SECOND,
            "/healthz",
            404,
            "no such page; use one of /livez, /readyz, /metrics, /status\n",
            id="an unknown page lists the existing ones",
        ),
        pytest.param(
            unread,
            SECOND,
            "/",
            404,
            "no such page; use one of /livez, /readyz, /metrics, /status\n",
            id="the root lists the existing pages",
        ),
    ],
)
def test_a_probe(store: Callable[[], Store], after: timedelta, path: str, status: int, body: str) -> None:
    with served(store(), after) as get:
        assert get(path) == (status, "text/plain; charset=utf-8", body)


@pytest.mark.parametrize(
    "store, expected",
    [
        pytest.param(
            unread,
            {"sweep": None, "pause": None, "scaleSets": [], "orphans": [], "replica": None},
            id="no sweep yet",
        ),
        pytest.param(
            empty,
            {
                "sweep": {
                    "at": NOW.isoformat(),
                    "commit": COMMIT,
                    "subject": "Remove all",
                    "errors": [],
                    "warnings": [],
                    "partial": False,
                    "readAt": None,
                    "staleSince": None,
                    "refused": None,
                    "shard": None,
                },
                "pause": None,
                "scaleSets": [],
                "orphans": [],
                "replica": None,
            },
            id="no scale set is declared",
        ),
        pytest.param(
            held,
            {
                "sweep": {
                    "at": NOW.isoformat(),
                    "commit": COMMIT,
                    "subject": "Move web",
                    "errors": ["specs/web.yaml:3:1: metadata is missing"],
                    "warnings": [],
                    "partial": False,
                    "readAt": None,
                    "staleSince": None,
                    "refused": None,
                    "shard": None,
                },
                "pause": None,
                "scaleSets": [
                    {
                        "name": "api",
                        "target": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/api",
                        "labels": {},
                        "image": str(NEW),
                        "shortImage": NEW.version,
                        "modelImage": None,
                        "shortModelImage": None,
                        "commit": COMMIT,
                        "status": None,
                        "reason": None,
                        "message": None,
                        "since": None,
                        "at": None,
                        "step": None,
                        "instances": None,
                        "disruption": None,
                        "instancesAt": None,
                        "forecast": None,
                        "nextReconcile": None,
                        "wait": None,
                        "suspended": False,
                        "revision": {"commit": COMMIT, "spec": Revision.of(spec("api"), COMMIT).spec},
                        "observedRevision": None,
                        "behind": None,
                        "conditions": unseen(),
                        "notes": [],
                        "gates": [],
                        "approval": None,
                        "history": [],
                        "pick": None,
                    },
                    {
                        "name": "web",
                        "target": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web",
                        "labels": {},
                        "image": str(NEW),
                        "shortImage": NEW.version,
                        "modelImage": str(NEW),
                        "shortModelImage": NEW.version,
                        "commit": COMMIT,
                        "status": "Reconciling",
                        "reason": "Upgrading",
                        "message": "update domain 1",
                        "since": NOW.isoformat(),
                        "at": NOW.isoformat(),
                        "disruption": {
                            "allowed": 3,
                            "unavailable": 1,
                            "of": 4,
                            "maxUnavailable": "100%",
                            "unhealthy": 0,
                            "maxUnhealthy": "20%",
                            "imageProven": False,
                        },
                        "step": {"kind": "Upgrade", "image": str(NEW), "instanceIds": ["1"]},
                        "instancesAt": NOW.isoformat(),
                        "instances": {
                            "total": 4,
                            "upToDate": 2,
                            "unavailable": 1,
                            "domains": [
                                {"domain": "update domain 0", "total": 2, "upToDate": 2, "unavailable": 0},
                                {"domain": "update domain 1", "total": 2, "upToDate": 0, "unavailable": 1},
                            ],
                        },
                        "forecast": None,
                        "nextReconcile": (NOW + 15 * SECOND).isoformat(),
                        "wait": None,
                        "suspended": False,
                        "revision": REVISION,
                        "observedRevision": REVISION,
                        "behind": None,
                        "conditions": [
                            condition("Ready", "Unknown", "Upgrading", "update domain 1"),
                            condition("Reconciling", "True", "Upgrading", "update domain 1"),
                            condition("Stalled", "False", "Upgrading", ""),
                            condition("Healthy", "False", "Upgrading", "update domain 1"),
                            condition("Drifted", "True", "InstanceDrift", "2 of 4 instances up to date"),
                        ],
                        "notes": [],
                        "gates": [
                            {"name": "windows", "open": True, "evidence": "open until 12:00", "until": None},
                            {
                                "name": "approval",
                                "open": False,
                                "evidence": "is not",
                                "until": NOW.isoformat(),
                            },
                        ],
                        "approval": None,
                        "history": [
                            {
                                "from": str(OLD),
                                "image": str(NEW),
                                "commit": COMMIT,
                                "began": (NOW - 90 * SECOND).isoformat(),
                                "ended": None,
                                "result": None,
                                "seconds": None,
                                "batches": 1,
                                "instances": 2,
                                "longestBatchSeconds": 0.0,
                                "message": f"{OLD.version} to {NEW.version}: in progress; 2 instances in 1 batch",
                            },
                            {
                                "from": None,
                                "image": str(OLD),
                                "commit": COMMIT,
                                "began": None,
                                "ended": NOW.isoformat(),
                                "result": "Failed",
                                "seconds": None,
                                "batches": 0,
                                "instances": 0,
                                "longestBatchSeconds": 0.0,
                                "message": f"to {OLD.version}: failed",
                            },
                        ],
                        "pick": None,
                    },
                ],
                "orphans": [],
                "replica": None,
            },
            id="a rollout, an unobserved scale set, and an error in the last commit",
        ),
    ],
)
def test_status_is_the_store(store: Callable[[], Store], expected: dict[str, Any]) -> None:
    with served(store()) as get:
        status, kind, body = get("/status")
    assert (status, kind, json.loads(body)) == (200, "application/json", expected)


def conditions_of(name: str, *statuses: str) -> list[str]:
    """Three series for each condition."""
    kinds = ("Ready", "Reconciling", "Stalled", "Healthy", "Drifted")
    return [
        f'vmss_reconciler_condition{{name="{name}",status="{status}",type="{kind}"}} {float(status == has)}'
        for kind, has in zip(kinds, statuses, strict=True)
        for status in ("True", "False", "Unknown")
    ]


BUILD = f'vmss_reconciler_build_info{{version="{__version__}"}} 1.0'
LEADS = "vmss_reconciler_leader 1.0"
UNREAD = "vmss_reconciler_source_read_timestamp_seconds 0.0"
SWEPT = f"vmss_reconciler_last_sweep_timestamp_seconds {NOW.timestamp()}"


@pytest.mark.parametrize(
    "store, lines",
    [
        pytest.param(unread, [BUILD, SWEPT, LEADS], id="no sweep yet"),
        pytest.param(
            unreadable,
            [
                BUILD,
                SWEPT,
                'vmss_reconciler_sweep_errors{scope="specs"} 2.0',
                'vmss_reconciler_commit_info{commit="",in_force="wholly"} 1.0',
                UNREAD,
                "vmss_reconciler_source_stale 0.0",
                LEADS,
            ],
            id="errors in the specs are counted",
        ),
        pytest.param(
            rolling,
            [
                BUILD,
                SWEPT,
                'vmss_reconciler_sweep_errors{scope="specs"} 0.0',
                f'vmss_reconciler_commit_info{{commit="{COMMIT}",in_force="wholly"}} 1.0',
                UNREAD,
                "vmss_reconciler_source_stale 0.0",
                LEADS,
                'vmss_reconciler_status{name="web",status="Ready"} 0.0',
                'vmss_reconciler_status{name="web",status="Reconciling"} 1.0',
                'vmss_reconciler_status{name="web",status="Waiting"} 0.0',
                'vmss_reconciler_status{name="web",status="Failing"} 0.0',
                'vmss_reconciler_status{name="web",status="Stalled"} 0.0',
                'vmss_reconciler_status{name="web",status="Suspended"} 0.0',
                'vmss_reconciler_reason{name="web",reason="Upgrading"} 1.0',
                'vmss_reconciler_instances{name="web",state="total"} 4.0',
                'vmss_reconciler_instances{name="web",state="up_to_date"} 2.0',
                'vmss_reconciler_instances{name="web",state="unavailable"} 1.0',
                'vmss_reconciler_instances{name="web",state="unhealthy"} 0.0',
                'vmss_reconciler_instances{name="web",state="left_out"} 0.0',
                *conditions_of("api", "Unknown", "Unknown", "Unknown", "Unknown", "Unknown"),
                *conditions_of("web", "Unknown", "True", "False", "False", "True"),
                'vmss_reconciler_suspended{name="api"} 0.0',
                'vmss_reconciler_suspended{name="web"} 0.0',
                'vmss_reconciler_behind{name="api"} 0.0',
                'vmss_reconciler_behind{name="web"} 0.0',
                f'vmss_reconciler_last_observed_timestamp_seconds{{name="web",scope="subscription {SUBSCRIPTION}"}} {NOW.timestamp()}',
                f'vmss_reconciler_drifted_since_timestamp_seconds{{name="web"}} {NOW.timestamp()}',
                'vmss_reconciler_attempts{name="web"} 0.0',
                *(
                    f'vmss_reconciler_rollouts_total{{name="{name}",result="{result}"}} 0.0'
                    for name in ("api", "web")
                    for result in ("Succeeded", "Failed", "Superseded", "GivenUp")
                ),
            ],
            id="an observed scale set has its metrics",
        ),
    ],
)
def test_metrics_are_the_store_in_numbers(store: Callable[[], Store], lines: list[str]) -> None:
    with served(store()) as get:
        status, kind, body = get("/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert [float_at(line) for line in body.splitlines() if not line.startswith("#")] == [
        float_at(line) for line in lines
    ]


def float_at(line: str) -> tuple[str, float]:
    """A sample by name and value; large values have several spellings."""
    name, _, value = line.rpartition(" ")
    return name, float(value)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /status", id="in the middle of its request"),
        pytest.param(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n", id="before it has read the response"),
    ],
)
def test_a_client_that_disconnects_is_not_logged(caplog: pytest.LogCaptureFixture, sent: bytes) -> None:
    server = Server(pages(), "127.0.0.1", 0)
    host, port = server.url.removeprefix("http://").split(":")
    with closing(server):
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(sent)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
        assert get(f"{server.url}/readyz")[0] == 200
    assert caplog.messages == []


class Endless:
    """A site with a response of 20 MB, and one that has no end."""

    routes = (
        Route("/large", lambda _: HttpResponse(b"x" * 20_000_000)),
        Route("/endless", lambda _: StreamingResponse(Endless.parts())),
    )

    @staticmethod
    async def parts() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 100_000

    def close(self) -> None:
        pass


@pytest.mark.parametrize("path", ["/large", "/endless"])
def test_a_client_that_does_not_read_is_cut_off(path: str) -> None:
    handler, patience = pages(), timedelta(seconds=0.3)
    server = Server(handler, "127.0.0.1", 0, patience, site=Endless())
    host, port = server.url.removeprefix("http://").split(":")
    with closing(server), socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(1.5)
        received = 0
        with contextlib.suppress(ConnectionError):
            while received < 20_000_000 and (part := client.recv(1 << 20)):
                received += len(part)
    assert 0 < received < 20_000_000


class Waiting(Store):
    """A store whose states nobody gets to read until `released`."""

    released = threading.Event()

    def states(self) -> ScaleSetStates:
        self.released.wait(30)
        return Store.states(self)


def test_a_probe_is_served_while_more_pages_wait_than_there_are_threads() -> None:
    store = Waiting(Sweep(NOW, COMMIT, "", ()))
    shown, site = Pages(store, Probes(store, OVERDUE, lambda: NOW)), PageSite(store, lambda: NOW)
    with closing(Server(shown, "127.0.0.1", 0, site=site)) as server, ThreadPoolExecutor(60) as browsers:
        fetched = [browsers.submit(get, f"{server.url}/?q={number}") for number in range(60)]
        time.sleep(0.3)
        try:
            assert urllib.request.urlopen(f"{server.url}/livez", timeout=5).status == 200
        finally:
            store.released.set()
        assert {each.result()[0] for each in fetched} == {200}


def test_probes_with_an_address_of_their_own_are_served_while_browsers_use_up_the_pages() -> None:
    store = rolling()
    site = PageSite(store, lambda: NOW)
    shown = Server(Pages(store), "127.0.0.1", 0, site=site)
    probes = Server(Probes(store, OVERDUE, lambda: NOW), "127.0.0.1", 0)
    host, port = shown.url.removeprefix("http://").split(":")
    with closing(shown), closing(probes), contextlib.ExitStack() as browsers:
        for _ in range(520):
            browser = browsers.enter_context(socket.create_connection((host, int(port)), timeout=30))
            browser.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        assert get(f"{probes.url}/livez")[0] == 200
        assert get(f"{probes.url}/metrics")[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="that send nothing"),
        pytest.param(b"GET /livez HTTP/1.1\r\n", id="that send half a request"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", id="that stay open after their response"),
        pytest.param(b"GET /l HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", id="that keep their body"),
    ],
)
def test_five_hundred_connections_keep_no_probe_from_being_served(sent: bytes) -> None:
    probes = Server(Probes(rolling(), OVERDUE, lambda: NOW), "127.0.0.1", 0)
    host, port = probes.url.removeprefix("http://").split(":")
    with closing(probes), contextlib.ExitStack() as others:
        for _ in range(500):
            other = others.enter_context(socket.create_connection((host, int(port)), timeout=30))
            other.sendall(sent)
            if sent.endswith(b"x\r\n\r\n"):
                assert other.recv(1)
        assert get(f"{probes.url}/livez")[0] == 200
        assert get(f"{probes.url}/livez")[0] == 200


def test_the_connection_that_has_waited_longest_makes_room() -> None:
    """Not the first one: it has sent a request since, and waits only since then."""
    probes = Server(Probes(rolling(), OVERDUE, lambda: NOW), "127.0.0.1", 0, timedelta(hours=1), most=3)
    host, port = probes.url.removeprefix("http://").split(":")
    with closing(probes), contextlib.ExitStack() as others:
        first, second, third = (
            others.enter_context(contextlib.closing(HTTPConnection(host, int(port), timeout=30)))
            for _ in range(3)
        )
        for each in (first, second, third):
            each.connect()
        assert is_served(first)
        assert get(f"{probes.url}/livez")[0] == 200
        assert not second.sock.recv(1)
        assert is_served(third)
        assert is_served(first)


def is_served(client: HTTPConnection) -> bool:
    """Whether a request on the open connection is served."""
    client.request("GET", "/livez")
    response = client.getresponse()
    return response.read() == b"ok\n"


def test_a_response_in_progress_makes_no_room() -> None:
    store = Waiting(Sweep(NOW, COMMIT, "", ()))
    server = Server(Pages(store), "127.0.0.1", 0, site=PageSite(store, lambda: NOW), most=2)
    host, port = server.url.removeprefix("http://").split(":")
    with closing(server), ThreadPoolExecutor(2) as browsers:
        fetched = [browsers.submit(get, f"{server.url}/?q={number}") for number in range(2)]
        time.sleep(0.5)
        try:
            with (
                socket.create_connection((host, int(port)), timeout=20) as refused,
                contextlib.suppress(ConnectionError),
            ):
                assert not refused.recv(1)
        finally:
            store.released.set()
        assert {each.result()[0] for each in fetched} == {200}


@pytest.mark.parametrize(
    ("call", "number"),
    [
        pytest.param("__init__", errno.EAFNOSUPPORT, id="a kernel without IPv6"),
        pytest.param("bind", errno.EADDRNOTAVAIL, id="IPv6 turned off"),
    ],
)
def test_without_ipv6_every_address_means_every_one_of_ipv4(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    class NoIpv6(socket.socket):
        def __init__(self, family: int = -1, *others: Any, **named: Any) -> None:
            self._refuse("__init__", family)
            super().__init__(family, *others, **named)

        def bind(self, address: Any) -> None:
            self._refuse("bind", self.family)
            super().bind(address)

        def _refuse(self, at: str, family: int) -> None:
            if at == call and family == socket.AF_INET6:
                raise OSError(number, "no IPv6 here")

    monkeypatch.setattr("reconciler.web.server.socket.socket", NoIpv6)
    with pytest.raises(OSError, match="no IPv6 here"):
        Server(pages(), "::1", 0)
    server = Server(pages(), "::", 0)
    with closing(server):
        port = server.url.removeprefix("http://0.0.0.0:")
        assert get(f"http://127.0.0.1:{port}/status")[0] == 200


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        pytest.param(0, 200, id="the clock corrected by eleven minutes"),
        pytest.param(11, 503, id="no further sweep for eleven minutes"),
    ],
)
def test_only_a_sweep_that_is_missing_is_overdue(minutes: int, status: int) -> None:
    clock = [NOW]
    store = Store(now=lambda: clock[0])
    probes = Probes(store, OVERDUE)
    clock[0] += timedelta(hours=1)
    store.end_sweep(
        Sweep(NOW - timedelta(minutes=11), COMMIT, "Move web", ())
    )  # as of a clock that is behind
    clock[0] += timedelta(minutes=minutes)
    assert probes.get("/livez").status == status


def test_an_address_of_the_probes_serves_nothing_else() -> None:
    store = rolling()
    probes = Server(Probes(store, OVERDUE, lambda: NOW), "127.0.0.1", 0)
    shown = Server(Pages(store), "127.0.0.1", 0)
    with closing(probes), closing(shown):
        assert get(f"{probes.url}/status")[::2] == (
            404,
            "no such page; use one of /livez, /readyz, /metrics\n",
        )
        assert get(f"{shown.url}/metrics")[::2] == (404, "no such page; use one of /status\n")


def test_a_bug_is_logged_and_the_next_request_is_served(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Pages):
        def get(self, path: str) -> Response:
            if path == "/broken":
                raise ZeroDivisionError
            return super().get(path)

    store = rolling()
    server = Server(Broken(store, Probes(store, OVERDUE)), "127.0.0.1", 0)
    with closing(server):
        assert get(f"{server.url}/broken")[0] == 500
        assert get(f"{server.url}/readyz")[0] == 200
    assert caplog.messages == [
        "a page could not be served because of a bug in the reconciler; please report it"
    ]


def test_ipv6_is_served_too() -> None:
    try:
        server = Server(pages(), "::1", 0)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with closing(server):
        assert server.url.startswith("http://[::1]:")
        assert get(f"{server.url}/readyz")[0] == 200


def test_all_addresses_of_ipv6_are_those_of_ipv4_too() -> None:
    try:
        server = Server(pages(), "::", 0)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with closing(server):
        port = server.url.rpartition(":")[2]
        assert server.url.startswith("http://[::]:")
        for host in ("[::1]", "127.0.0.1"):
            assert get(f"http://{host}:{port}/readyz")[0] == 200


def test_a_scale_set_whose_spec_is_removed_has_no_series() -> None:
    store = rolling()
    store.declare(())
    with served(store) as page:
        named = [line.partition("{")[0] for line in page("/metrics")[2].splitlines() if 'name="web"' in line]
    assert named == []


def test_an_address_is_free_again_after_close() -> None:
    first = Server(pages(), "127.0.0.1", 0)
    port = int(first.url.rpartition(":")[2])
    with pytest.raises(OSError, match="Address already in use"):
        Server(pages(), "127.0.0.1", port)
    first.close()
    Server(pages(), "127.0.0.1", port).close()
