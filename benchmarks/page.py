"""What the pages cost, and whether people who watch them slow a reconcile.

    python -m benchmarks.page 1000 20 100 200

The numbers are those of the scale sets, the instances of each, the scale sets that roll at once, and the
browsers that watch the fleet. The daemon is real except for its threads (`benchmarks.daemon`), and does not
pause between its reconciles. Rollouts without and with watchers alternate in one process. The watchers and
the simulated Azure are separate processes. On a machine with several cores, the daemon has the first core to
itself, so that it competes with nothing but its own pages.
"""

import json
import multiprocessing
import os
import selectors
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.apart import AzureApart, serve_apart
from benchmarks.azure import NEW, OLD, name
from benchmarks.daemon import Daemon, write_specs
from benchmarks.scale import fleet, is_rolled
from reconciler.daemon.specs import Directory
from reconciler.web.page.routes import PageSite
from reconciler.web.server import Server
from reconciler.web.status import Pages, Probes

_ROUNDS = 2  # of each kind
_PAINTS = 10
_OVERDUE = timedelta(minutes=10)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browsers(NamedTuple):
    """The number of browsers in one process, and the cores that it runs on."""

    number: int
    cores: Collection[int]


class Watched:
    """A daemon with its pages, and the seconds that its reconciles take."""

    def __init__(self, azure: AzureApart, specs: Path) -> None:
        self.daemon = Daemon(azure, Directory(specs))
        self.seconds: list[float] = []
        work = self.daemon.reconciler
        reconcile = work.reconcile

        def measure(key: str) -> Any:
            began = time.perf_counter()
            outcome = reconcile(key)
            self.seconds.append(time.perf_counter() - began)
            return outcome

        work.reconcile = measure  # type: ignore[method-assign]
        store = work.store
        pages = Pages(store, Probes(store, _OVERDUE))
        self.server = Server(pages, "127.0.0.1", 0, site=PageSite(store, azure.clock.now))

    def paint(self) -> float:
        """The seconds until the whole page of the fleet is there."""
        began = time.perf_counter()
        with _DIRECT.open(f"{self.server.url}/", timeout=60) as response:
            response.read()
        return time.perf_counter() - began


@contextmanager
def watched_by(url: str, browsers: Browsers) -> Iterator[dict[str, int]]:
    """The browsers watch the fleet inside the context. Afterwards, what one of them got is known."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_watch, args=(url, browsers, theirs), daemon=True
    )
    process.start()
    ours.recv()  # once all are connected
    found: dict[str, int] = {}
    try:
        yield found
    finally:
        ours.send(None)
        found.update(ours.recv())
        process.join()


def _watch(url: str, browsers: Browsers, connection: Connection) -> None:
    os.sched_setaffinity(0, browsers.cores)
    host, _, port = url.removeprefix("http://").partition(":")
    with _DIRECT.open(f"{url}/", timeout=60) as response:
        serial = response.read().decode().partition('data-version="')[2].partition('"')[0]
    asked = f"GET /events?page=/&since={serial} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    selector, first = selectors.DefaultSelector(), None
    for _ in range(browsers.number):
        one = socket.create_connection((host, int(port)))
        first = first or one
        one.sendall(asked)
        one.recv(1)  # it is served
        selector.register(one, selectors.EVENT_READ)
    selector.register(connection, selectors.EVENT_READ)
    connection.send(None)
    events = size = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is connection:
                connection.send({"events": events, "bytes": size})
                return
            got = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
            if key.fileobj is first:
                events += got.count(b"event: change")
                size += len(got)


def measure(
    watched: Watched, azure: AzureApart, specs: Path, rolling: int, browsers: Browsers
) -> dict[str, list[float]]:
    """The lists of seconds, by what took them."""
    watched.daemon.run()
    watched.seconds.clear()
    alone: list[float] = []
    beside: list[float] = []
    updates: list[float] = []
    sizes: list[float] = []
    for turn in range(_ROUNDS):
        alone += _roll(watched, azure, specs, range(2 * turn * rolling, (2 * turn + 1) * rolling))
        with watched_by(watched.server.url, browsers) as got:
            whole, daemon = time.process_time(), time.thread_time()
            beside += _roll(watched, azure, specs, range((2 * turn + 1) * rolling, (2 * turn + 2) * rolling))
            cpu = time.process_time() - whole - (time.thread_time() - daemon)
        updates.append(cpu / got["events"])
        sizes.append(got["bytes"] / got["events"])
    paints = [watched.paint() for _ in range(_PAINTS)]
    return {"alone": alone, "watched": beside, "update": updates, "size": sizes, "paint": paints}


def _roll(watched: Watched, azure: AzureApart, specs: Path, numbers: range) -> list[float]:
    """The seconds of each reconcile while these scale sets roll."""
    names = [name(number) for number in numbers]
    store = watched.daemon.reconciler.store
    keys = [each.key for each in store.states() if each.desired.name in names]
    for each in names:
        file = specs / f"{each}.yaml"
        file.write_text(file.read_text().replace(OLD, NEW))
    watched.daemon.run(lambda: all(is_rolled(store.get(key)) for key in keys))
    assert azure.images(names) == {NEW}
    found, watched.seconds = watched.seconds, []
    return found


def main(sets: int, instances: int, rolling: int, watchers: int) -> None:
    """Run the measurement and print its figures."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        specs = Path(scratch) / "specs"
        write_specs(specs, sets, OLD)
        own, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, others or [own])
        with serve_apart(fleet(sets, instances)) as azure:
            os.sched_setaffinity(0, [own])
            watched = Watched(azure, specs)
            try:
                found = measure(watched, azure, specs, rolling, Browsers(watchers, others or [own]))
                print(json.dumps(found), flush=True)
            finally:
                watched.server.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
