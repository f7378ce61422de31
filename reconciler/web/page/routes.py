"""The routes of the pages."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from reconciler.daemon.store import Store
from reconciler.web.application import target
from reconciler.web.page.action import Action
from reconciler.web.page.actions import Actions
from reconciler.web.page.events import MOST_PAGES, Watchers
from reconciler.web.page.headers import HEADERS
from reconciler.web.page.instances import instances_json
from reconciler.web.page.page_log import PageLog, VersionCount
from reconciler.web.page.pages import StorePages
from reconciler.web.page.render import COPY_POLICY, Rendered, document, macro
from reconciler.web.threads import Threads

_STREAM = {**HEADERS, "cache-control": "no-cache", "x-accel-buffering": "no"}
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_LONGEST_ADDRESS = 2000
_START_SECONDS = "5"  # after which a page that may exist is asked for again
_THREADS = 8  # that render pages; a page takes milliseconds, and one thread at a time computes


class PageSite:
    """The pages of one store. Without `actions`, they are read-only."""

    def __init__(self, store: Store, now: Callable[[], datetime], actions: Actions | None = None) -> None:
        self._store = store
        self._now = now
        self._actions = actions
        pages = StorePages(store, now, has_actions=actions is not None)
        version = VersionCount(lambda: pages.key)
        self._log = PageLog(pages.render, version)
        self._threads = Threads(_THREADS)
        self._watchers = Watchers(self._log, version, now, self._threads)
        root = files("reconciler.web.page").joinpath("static")
        self._files = {each.name: each.read_bytes() for each in root.iterdir() if each.is_file()}

    @property
    def watching(self) -> int:
        """The number of open event streams."""
        return self._watchers.watching

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._page),
            Route("/scale-sets/{name}", self._page),
            Route("/scale-sets/{name}/instances", self._instances),
            Route("/rollouts", self._page),
            Route("/changes/{commit}", self._page),
            Route("/events", self._events),
            Route("/export", self._export),
            Route("/static/{name}", self._file),
            *(self._actions.routes if self._actions else ()),
        ]

    def close(self) -> None:
        """End all streams. Must be called in the server's thread."""
        self._watchers.close()

    async def _page(self, request: Request) -> Response:
        address, id_ = _without_notice(request)
        visitor, notice = None, None
        permitted: Sequence[Action] = ()
        if self._actions:
            visitor = self._actions.visitor(request)
            permitted, notice = self._actions.permitted(visitor), self._actions.notice(visitor, id_)
        found = await self._found(address)
        page, version = found or (_no_page(is_starting=self._is_starting), None)
        text = document(
            page,
            version="" if version is None else self._watchers.serial(version),
            at=self._now(),
            here=address,
            is_live=found is not None,
            visitor=visitor,
            permitted=permitted,
            notice=notice,
        )
        if found or not self._is_starting:
            return HTMLResponse(text, HTTPStatus.OK if found else HTTPStatus.NOT_FOUND, HEADERS)
        reload = {"retry-after": _START_SECONDS, "refresh": _START_SECONDS}
        return HTMLResponse(text, HTTPStatus.SERVICE_UNAVAILABLE, {**HEADERS, **reload})

    @property
    def _is_starting(self) -> bool:
        """Whether the daemon has yet to complete its first sweep."""
        return self._store.last_sweep is None

    async def _found(self, address: str) -> tuple[Rendered, int] | None:
        """The page at this address and its version, or None if there is no such page."""
        return await self._threads.run(self._log.page, address) if len(address) < _LONGEST_ADDRESS else None

    async def _export(self, request: Request) -> Response:
        """A page as a self-contained file, for `reconciler report --html`."""
        address = request.query_params.get("page", "/")
        found = await self._found(address)
        if found is None:
            return Response("no such page\n", HTTPStatus.NOT_FOUND, HEADERS)
        style = self._files["page.css"].decode()
        text = document(found[0], version="", at=self._now(), here=address, style=style)
        file = {"content-disposition": 'attachment; filename="reconciler.html"'}
        return HTMLResponse(text, HTTPStatus.OK, {**HEADERS, **file, "content-security-policy": COPY_POLICY})

    async def _events(self, request: Request) -> Response:
        pages = [each for each in request.query_params.getlist("page") if len(each) < _LONGEST_ADDRESS]
        if not pages or len(pages) > MOST_PAGES:
            return Response(f"name 1 to {MOST_PAGES} pages\n", HTTPStatus.BAD_REQUEST, HEADERS)
        if self._watchers.is_full:
            later = {**HEADERS, "retry-after": "10"}
            return Response("too many browsers watch\n", HTTPStatus.SERVICE_UNAVAILABLE, later)
        serial = request.headers.get("last-event-id") or request.query_params.get("since", "")
        stream = self._watchers.stream(pages, serial)
        return StreamingResponse(stream, headers=_STREAM, media_type="text/event-stream")

    async def _instances(self, request: Request) -> Response:
        """The instances of one scale set as last listed, for `reconciler status NAME --watch`."""
        name = request.path_params["name"]
        state = self._store.states().by_name(name)
        if state is None:
            return Response("no such scale set\n", HTTPStatus.NOT_FOUND, HEADERS)
        text = json.dumps(instances_json(state))
        return Response(f"{text}\n", HTTPStatus.OK, HEADERS, "application/json")

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        content = self._files.get(name)
        if content is None:
            return Response("no such file\n", HTTPStatus.NOT_FOUND, HEADERS)
        kind = _KINDS.get(name.rpartition(".")[2], "application/octet-stream")
        return Response(content, HTTPStatus.OK, {**HEADERS, "cache-control": "no-cache"}, kind)


def _without_notice(request: Request) -> tuple[str, str]:
    """The address without the query field `notice`, and the value of that field, or "" if it is missing."""
    query = request.query_params
    if "notice" not in query:
        return target(request), ""
    others = urlencode([(name, value) for name, value in query.multi_items() if name != "notice"])
    return f"{request.url.path}?{others}" if others else request.url.path, query["notice"]


def _no_page(*, is_starting: bool) -> Rendered:
    heading, part = ("Starting", "starting") if is_starting else ("Not found", "main")
    return Rendered(heading, {}, str(macro("not_found.html", part)()))
