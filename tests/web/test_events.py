"""The event stream, as a real client reads it from a real server."""

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.daemon.event import GateChanged
from reconciler.daemon.store import Store
from reconciler.web.page.events import MOST_PAGES, Watchers
from reconciler.web.page.page_log import PageLog
from reconciler.web.page.render import Rendered
from reconciler.web.page.routes import PageSite
from reconciler.web.server import Server
from reconciler.web.status import Pages, Probes
from reconciler.web.threads import Threads
from tests.build import NOW
from tests.web.stores import large_fleet, varied


@contextmanager
def served(store: Store) -> Iterator[str]:
    site = PageSite(store, lambda: NOW)
    server = Server(
        Pages(store, Probes(store, timedelta(minutes=10), lambda: NOW)), "127.0.0.1", 0, site=site
    )
    try:
        yield server.url
    finally:
        server.close()


class Stream:
    """A client of the stream."""

    def __init__(self, url: str, path: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", path, headers=named)
        self.response = self._connection.getresponse()

    def event(self) -> dict[str, str]:
        """The next event: its fields."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    def change(self) -> tuple[str, dict[str, Any]]:
        """The id and the pages of the next change."""
        while True:
            event = self.event()
            assert event, "the stream has ended"
            if event.get("event") == "change":
                return event["id"], json.loads(event["data"])["pages"]

    def close(self) -> None:
        self._connection.close()


@contextmanager
def opened(url: str, path: str, **headers: str) -> Iterator[Stream]:
    stream = Stream(url, path, **headers)
    try:
        yield stream
    finally:
        stream.close()


def close_window(store: Store, evidence: str) -> None:
    """Something happens to the scale set `reports`."""
    state = next(each for each in store.states() if each.desired.name == "reports")
    assert state.outcome is not None
    gate = state.outcome.gates[0]
    store.apply(state.key, GateChanged(state.outcome, type(gate)("windows", evidence, gate.closed)))


def version_of(url: str, path: str = "/") -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text.partition('data-version="')[2].partition('"')[0]


def test_a_browser_gets_the_parts_that_change() -> None:
    store = varied()
    with served(store) as url, opened(url, f"/events?page=/&since={version_of(url)}") as stream:
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert stream.response.headers["cache-control"] == "no-cache"
        close_window(store, "closed for now")
        id_, pages = stream.change()
        assert list(pages["/"]["parts"]) == ["row-reports"]
        assert id_ == version_of(url)


def test_a_browser_that_comes_back_gets_what_it_has_missed() -> None:
    store = varied()
    with served(store) as url:
        seen = version_of(url)
        close_window(store, "closed once")
        close_window(store, "closed twice")
        with opened(url, f"/events?page=/&since={seen}", Last_Event_ID=seen) as stream:
            _, pages = stream.change()
    assert list(pages["/"]["parts"]) == ["row-reports"]
    assert "closed twice" in pages["/"]["parts"]["row-reports"]


@pytest.mark.parametrize("seen", ["", "another-7", "x", f"a-{'9' * 99}"])
def test_a_browser_of_another_process_gets_the_whole_page(seen: str) -> None:
    with served(varied()) as url, opened(url, "/events?page=/", Last_Event_ID=seen) as stream:
        _, pages = stream.change()
    assert "Wave 2" in pages["/"]["main"]


def test_one_stream_serves_several_tabs() -> None:
    store = varied()
    with served(store) as url:
        path = f"/events?page=/&page=/scale-sets/reports&page=/scale-sets/gone&since={version_of(url)}"
        with opened(url, path) as stream:
            close_window(store, "closed for both")
            _, pages = stream.change()
    assert set(pages) == {"/", "/scale-sets/reports", "/scale-sets/gone"}
    assert pages["/scale-sets/gone"] is None


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/events", id="no page"),
        pytest.param(f"/events?{'page=/&' * (MOST_PAGES + 1)}", id="too many pages"),
        pytest.param(f"/events?page=/{'x' * 3000}", id="too long a page"),
    ],
)
def test_a_stream_that_makes_no_sense_is_refused(path: str) -> None:
    with served(varied()) as url, opened(url, path) as stream:
        assert stream.response.status == 400


def test_a_page_that_does_not_change_is_alive_while_the_store_changes() -> None:
    versions = count()
    page = Rendered("Fleet", {"headline": "<p>"}, "<p>")
    log = PageLog(lambda _address: page, lambda: next(versions))
    watchers = Watchers(log, lambda: next(versions), lambda: NOW, Threads(1), interval=0.005, quiet=0.05)

    async def heard() -> list[bytes]:
        stream = watchers.stream(["/"], "")
        found = [await anext(stream) for _ in range(7)]
        watchers.close()
        return found

    sent = asyncio.run(asyncio.wait_for(heard(), 5))
    assert [each.partition(b"\n")[0] for each in sent[-2:]] == [b"event: alive"] * 2


def test_an_event_is_made_once_however_many_browsers_watch() -> None:
    versions, rendered = [1], list[int]()

    def render(_address: str) -> Rendered:
        rendered.append(versions[0])
        part = f"<p id=headline>{versions[0]}</p>"
        return Rendered("Fleet", {"headline": part}, part)

    log = PageLog(render, lambda: versions[0])
    watchers = Watchers(log, lambda: versions[0], lambda: NOW, Threads(4), interval=0.005)

    async def heard() -> list[bytes]:
        streams = [watchers.stream(["/"], "") for _ in range(50)]
        for _ in range(3):  # the wait, the ping, and the whole page
            await asyncio.gather(*(anext(each) for each in streams))
        versions[0] = 2
        found = await asyncio.gather(*(anext(each) for each in streams))
        watchers.close()
        return found

    events = asyncio.run(asyncio.wait_for(heard(), 20))
    assert b"<p id=headline>2</p>" in events[0]
    assert {id(each) for each in events} == {id(events[0])}, "one object, encoded once"
    assert rendered == [1, 2]


def test_an_event_about_one_of_a_thousand_scale_sets_is_small() -> None:
    store = large_fleet(1000)
    with served(store) as url, opened(url, f"/events?page=/&since={version_of(url)}") as stream:
        state = store.states().by_name("set-0500")
        assert state is not None
        assert state.outcome is not None
        changed = replace(state.outcome, message="update domain 3")
        store._states = store.states().with_state(
            replace(state, published=replace(state.published, outcome=changed))
        )
        store.version += 1
        _, pages = stream.change()
    assert list(pages["/"]["parts"]) == ["row-set-0500"]
    assert len(json.dumps(pages)) < 2500


def test_the_server_closes_while_a_browser_watches() -> None:
    with served(varied()) as url:
        stream = Stream(url, "/events?page=/")
        assert stream.event() == {"retry": "2000"}
        began = time.monotonic()
    took = time.monotonic() - began
    stream.close()
    assert took < 5


def test_a_probe_is_served_while_many_browsers_watch() -> None:
    with served(varied()) as url:
        streams = [Stream(url, "/events?page=/") for _ in range(60)]
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
        connection.close()
        for each in streams:
            each.close()


LOADED = """
import sys
from click.testing import CliRunner
from reconciler.cli import main
CliRunner().invoke(main, sys.argv[1:])
print(*sorted({"starlette", "uvicorn", "jinja2", "anyio"} & sys.modules.keys()))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["status", "-o", "csv"]], ids=" ".join)
def test_a_command_that_serves_nothing_loads_no_server(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
