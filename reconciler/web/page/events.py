"""The event stream of a browser: the pages that its tabs show, as they change.

An event is as new as the store when it is sent. A slow reader misses versions, and never gets an old one. Its
id is the version, so that a browser that comes back continues from there.

    id: 5f3a-812
    event: change
    data: {"at": "…", "pages": {"/": {"title": "Fleet", "parts": {"row-web": "<tr …>"}, "main": null}}}
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from starlette.concurrency import run_in_threadpool

from reconciler.web.page.page_log import PageLog

MOST_PAGES = 12
"""The tabs of one browser that one stream serves."""

_INTERVAL = 1.0  # seconds between two looks at the version of the store
_PING_SECONDS = 15.0
_MOST_WATCHERS = 256


class Watchers:
    """All open streams. They look at the version of the store once a second, together.

    A version is told with the start of the process, because another process counts from 0.
    """

    def __init__(self, log: PageLog, version: Callable[[], int], now: Callable[[], datetime]) -> None:
        self._log = log
        self._version = version
        self._now = now
        self._boot = secrets.token_hex(4)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self.watching = 0
        self._made: dict[tuple[str, int | None, int], bytes] = {}

    @property
    def is_full(self) -> bool:
        return self.watching >= _MOST_WATCHERS

    def serial(self, version: int) -> str:
        """A version as a browser is told it."""
        return f"{self._boot}-{version}"

    def close(self) -> None:
        """End all streams. For the thread of the server."""
        if self._closing is not None:
            self._closing.set()

    async def stream(self, pages: Sequence[str], serial: str) -> AsyncIterator[bytes]:
        """The events of these pages, for a browser that has them as of `serial`."""
        closing = self._closing = self._closing or asyncio.Event()
        since, quiet = self._version_of(serial), 0.0
        self.watching += 1
        try:
            yield b"retry: 2000\n\n"
            yield self._ping()
            while not closing.is_set():
                version = self._version()
                if version != since:
                    event = await self._event(pages, since, version)
                    since = version
                    if event:
                        quiet = 0.0
                        yield event
                if quiet >= _PING_SECONDS:
                    quiet = 0.0
                    yield self._ping()
                quiet += _INTERVAL
                try:
                    await asyncio.wait_for(closing.wait(), _INTERVAL)
                except TimeoutError:
                    continue
        finally:
            self.watching -= 1

    def _version_of(self, serial: str) -> int | None:
        boot, _, number = serial.rpartition("-")
        is_ours = boot == self._boot and number.isascii() and number.isdigit() and len(number) < 16
        return int(number) if is_ours else None

    def _ping(self) -> bytes:
        return f"event: alive\ndata: {json.dumps({'at': self._now().isoformat()})}\n\n".encode()

    async def _event(self, pages: Sequence[str], since: int | None, version: int) -> bytes:
        """One event about all pages that have changed, b"" if none has."""
        changed = []
        for page in pages:
            made = self._made.get((page, since, version))
            if made is None:
                made = await run_in_threadpool(self._change, page, since)
                if any(each[2] != version for each in self._made):
                    self._made = {}
                self._made[page, since, version] = made
            if made:
                changed.append(made)
        if not changed:
            return b""
        at = json.dumps(self._now().isoformat())
        head = f'id: {self.serial(version)}\nevent: change\ndata: {{"at": {at}, "pages": {{'
        return head.encode() + b", ".join(changed) + b"}}\n\n"

    def _change(self, page: str, since: int | None) -> bytes:
        """The entry of one page in the JSON of an event. JSON has no line break, as an event demands."""
        update = self._log.since(page, since)
        if update is None:
            found = None
        elif update.is_empty:
            return b""
        else:
            found = {"title": update.title, "parts": update.parts, "main": update.main}
        return f"{json.dumps(page)}: {json.dumps(found)}".encode()
