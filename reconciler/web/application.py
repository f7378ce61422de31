"""The application that the HTTP server runs: the routes of the pages, and a handler for all other paths.

A handler knows nothing about Starlette or asyncio. It runs in a thread, because it may take a long time.
"""

import logging
from asyncio import Semaphore
from collections.abc import Sequence
from http import HTTPStatus
from itertools import chain
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response as HttpResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.web.connection import MOST_HEADER_BYTES
from reconciler.web.response import Headers, Response

_log = logging.getLogger("reconciler")

MAX_BODY = 1 << 20
"""The size of the largest body that is read, in bytes. A push of GitHub has at most some hundred thousand."""

_MOST_BODIES = 32  # in memory at once
_MOST_HEADERS = 100


class Handler(Protocol):
    """Responds to requests for paths without a route."""

    def get(self, path: str) -> Response:
        """Respond to a GET."""
        ...

    def post(self, path: str, headers: Headers, body: bytes, peer: str) -> Response:
        """Respond to a POST from the address `peer`."""
        ...


def application(handler: Handler, routes: Sequence[BaseRoute] = ()) -> ASGIApp:
    """An application that serves the routes, and passes all other paths to the handler."""
    behind = Route("/{path:path}", _Behind(handler))
    return _Guard(Starlette(routes=[*routes, behind]))


class _Guard:
    """Refuses bad requests before they are routed. Responds to a bug with a 500, and logs the bug."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_begun = False

        async def noted(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            refusal = _refusal(scope)
            await (refusal or self._app)(scope, receive, noted)
        except (ClientDisconnect, OSError):
            pass  # the client has gone
        except Exception:
            _log.exception("a page could not be served because of a bug in the reconciler; please report it")
            if not is_begun:
                await _refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug in the reconciler; see its log")(
                    scope, receive, send
                )


class _Behind:
    """The endpoint for all paths without a route."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._bodies = Semaphore(_MOST_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await self._response(request))(scope, receive, send)

    async def _response(self, request: Request) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return _sent(await run_in_threadpool(self._handler.get, target(request)))
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return _refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        if int(length) > MAX_BODY:
            return _refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over the limit of {MAX_BODY:,} bytes"
            )
        headers = dict(request.headers)
        peer = request.client.host if request.client else ""
        async with self._bodies:
            body = await request.body()
            return _sent(await run_in_threadpool(self._handler.post, target(request), headers, body, peer))


def _refusal(scope: Scope) -> HttpResponse | None:
    if scope["http_version"] not in {"1.0", "1.1"}:
        return _refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "use HTTP/1.1")
    length = sum(map(len, (scope["raw_path"], scope["query_string"], *chain(*scope["headers"]))))
    if len(scope["headers"]) > _MOST_HEADERS or length > MOST_HEADER_BYTES:
        return _refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too long")
    if scope["method"] not in {"GET", "HEAD", "POST"}:
        return _refuse(HTTPStatus.NOT_IMPLEMENTED, "use GET or POST")
    return None


def target(request: Request) -> str:
    """The path of a request, with its query."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _refuse(status: HTTPStatus, message: str) -> HttpResponse:
    """A refusal that leaves the body unread, and therefore closes the connection."""
    response = _sent(Response(status, f"{message}\n".encode()))
    response.headers["connection"] = "close"
    return response


def _sent(response: Response) -> HttpResponse:
    return HttpResponse(
        response.body, response.status, media_type=None, headers={"content-type": response.kind}
    )
