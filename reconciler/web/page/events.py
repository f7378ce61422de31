"""The event stream to a browser: the pages that its tabs show, as they change.

An event shows the store as it is when the event is sent. A slow reader misses versions, but never gets an
outdated one. The id of an event is its version, so that a browser that reconnects continues from there.

    id: 5f3a-812
    event: change
    data: {"at": "…", "pages": {"/": {"title": "Fleet", "parts": {"row-web": "<tr …>"}, "main": null}}}
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from reconciler.web.page.page_log import PageLog
from reconciler.web.threads import Threads

MOST_PAGES = 12
"""The tabs of one browser that one stream serves."""

_INTERVAL = 1.0  # seconds between two looks at the version of the store
_PING_SECONDS = 15.0
_MOST_WATCHERS = 256

_Wanted = tuple[str | tuple[str, ...], int | None, int]
"""A page, or all pages of a browser, the version that the browser has, and the version that it is to get."""


class Watchers:
    """All open streams. The version of the store is read once a second for all of them together.

    An event is made once, however many streams send it. Browsers get a version together with an id of the
    process, because every process counts from 0. A stream that has sent nothing for `quiet` seconds sends a
    ping.
    """

    def __init__(
        self,
        log: PageLog,
        version: Callable[[], int],
        now: Callable[[], datetime],
        threads: Threads,
        *,
        interval: float = _INTERVAL,
        quiet: float = _PING_SECONDS,
    ) -> None:
        self._log = log
        self._version = version
        self._now = now
        self._threads = threads
        self._interval, self._quiet = interval, quiet
        self._boot = secrets.token_hex(4)
        self._clock: asyncio.Task[None] | None = None
        self._turn = asyncio.Event()  # set when the version is another one, or a ping is due; then replaced
        self._is_closing = False
        self.watching = 0
        self._made: dict[_Wanted, asyncio.Task[bytes]] = {}

    @property
    def is_full(self) -> bool:
        return self.watching >= _MOST_WATCHERS

    def serial(self, version: int) -> str:
        """A version in the form that browsers get."""
        return f"{self._boot}-{version}"

    def close(self) -> None:
        """End all streams. Must be called in the server's thread."""
        self._is_closing = True
        self._turn.set()

    async def stream(self, pages: Sequence[str], serial: str) -> AsyncIterator[bytes]:
        """The events about these pages, for a browser that has the pages as of `serial`."""
        since = self._version_of(serial)
        self.watching += 1
        if self._clock is None:
            self._clock = asyncio.create_task(self._tick())
        loop = asyncio.get_running_loop()
        try:
            yield b"retry: 2000\n\n"
            yield self._ping()
            sent = loop.time()
            shown = tuple(pages)
            while not self._is_closing:
                turn, version = self._turn, self._version()
                event = b"" if version == since else await self._event(shown, since, version)
                since = version
                if not event and loop.time() - sent >= self._quiet - self._interval:
                    event = self._ping()  # also while only other pages change
                if event:
                    yield event
                    sent = loop.time()
                await turn.wait()
        finally:
            self.watching -= 1

    async def _tick(self) -> None:
        """Wake all streams at each new version, and whenever a ping is due."""
        known, quiet = self._version(), 0.0
        while self.watching and not self._is_closing:
            await asyncio.sleep(self._interval)
            quiet += self._interval
            version = self._version()
            if version != known or quiet >= self._quiet:
                known, quiet = version, 0.0
                turn, self._turn = self._turn, asyncio.Event()
                self._made = {}
                turn.set()
        self._clock = None

    def _version_of(self, serial: str) -> int | None:
        boot, _, number = serial.rpartition("-")
        is_ours = boot == self._boot and number.isascii() and number.isdigit() and len(number) < 16
        return int(number) if is_ours else None

    def _ping(self) -> bytes:
        return f"event: alive\ndata: {json.dumps({'at': self._now().isoformat()})}\n\n".encode()

    async def _event(self, pages: tuple[str, ...], since: int | None, version: int) -> bytes:
        """One event about all pages that have changed, or b"" if none have."""
        return await self._made_once((pages, since, version), lambda: self._encode(pages, since, version))

    async def _encode(self, pages: tuple[str, ...], since: int | None, version: int) -> bytes:
        changed = [made for page in pages if (made := await self._entry(page, since, version))]
        if not changed:
            return b""
        at = json.dumps(self._now().isoformat())
        head = f'id: {self.serial(version)}\nevent: change\ndata: {{"at": {at}, "pages": {{'
        return head.encode() + b", ".join(changed) + b"}}\n\n"

    async def _entry(self, page: str, since: int | None, version: int) -> bytes:
        return await self._made_once(
            (page, since, version), lambda: self._threads.run(self._change, page, since)
        )

    async def _made_once(self, wanted: _Wanted, make: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Call `make`, or wait for the call that another stream has already made for the same bytes."""
        task = self._made.get(wanted)
        if task is None:
            task = self._made[wanted] = asyncio.create_task(make())
        return await asyncio.shield(task)  # a stream that ends takes it from no other

    def _change(self, page: str, since: int | None) -> bytes:
        """The entry for one page in the JSON of an event, or b"" if the page has not changed.

        An event must not contain line breaks, and this JSON has none.
        """
        update = self._log.since(page, since)
        if update is None:
            found = None
        elif update.is_empty:
            return b""
        else:
            found = {"title": update.title, "parts": update.parts, "main": update.main}
        return f"{json.dumps(page)}: {json.dumps(found)}".encode()
