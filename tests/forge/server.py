"""Three forges on loopback, in their real form: paths, pages, Link headers, ids and bodies. Each keeps a record.

They are written from the documentation of the forges and from recorded responses in issues, not from our client.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

NUMBER = 7  # of the pull request
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    authorization: str | None
    body: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. `then` acts on the connection in place of a body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[["Handler"], None] | None = None


@dataclass
class Fault:
    """A reply in place of that of the forge, to requests of these methods, `times` times (None: always).

    after: the forge does what was asked before it sends this.
    """

    reply: Reply | Callable[[], Reply]
    methods: tuple[str, ...] = ("GET", "POST", "PATCH", "PUT")
    times: int | None = 1
    after: bool = False

    def applies(self, method: str) -> bool:
        if method not in self.methods or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Forge(ThreadingHTTPServer):
    """What the three have in common. `comments` are in the form of the forge, the oldest first."""

    daemon_threads = True
    block_on_close = False
    bot: ClassVar[Any] = None
    stranger: ClassVar[Any] = None
    repository = ""  # as our messages name it
    token = ""
    proof = ""  # the header that the token makes

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[Json] = []
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def variables(self) -> dict[str, str]:
        """What the CI of this forge sets for a job, the token included."""
        raise NotImplementedError

    @property
    def writes(self) -> list[Request]:
        return [each for each in self.requests if each.method != "GET" and "graphql" not in each.path]

    def texts(self) -> list[str]:
        """The texts of all comments."""
        return [self.text_of(each) for each in self.comments]

    def add(self, text: str, author: Any = None) -> Json:
        """A comment by the bot, or by another author."""
        raise NotImplementedError

    def text_of(self, comment: Json) -> str:
        text: str = comment["body"]
        return text

    def reply(self, request: Request) -> Reply:
        raise NotImplementedError

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Forge
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        forge = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            self.command, self.path, self.headers.get("Authorization"), json.loads(body) if body else None
        )
        with forge.lock:
            forge.requests.append(request)
            fault = next((each for each in forge.faults if each.applies(self.command)), None)
            reply = forge.reply(request) if fault is None or fault.after else None
        if fault is not None:
            reply = fault.reply() if callable(fault.reply) else fault.reply
        assert reply
        self.send(reply)

    do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815

    def send(self, reply: Reply) -> None:
        if reply.then and not reply.status:
            reply.then(self)
            return
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.then:
            self.end_headers()
            reply.then(self)
            return
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def hang_up(handler: Handler) -> None:
    """Close the connection without a response."""
    handler.close_connection = True
    handler.connection.close()


def stall(handler: Handler) -> None:
    """Send nothing until the test is over."""
    handler.server.is_over.wait()
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Send a byte at a time, without an end."""
    handler.close_connection = True
    try:
        while not handler.server.is_over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        pass


class GitHub(Forge):
    """api.github.com. The Link header names the repository by its id, as GitHub's does."""

    bot: ClassVar[Any] = {"login": "github-actions[bot]", "id": 41898282, "type": "Bot"}
    stranger: ClassVar[Any] = {"login": "mallory", "id": 666, "type": "User"}
    repository = "acme/fleet"
    token = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
    proof = f"Bearer {token}"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "acme/fleet",
            "GITHUB_REF": f"refs/pull/{NUMBER}/merge",
            "GITHUB_TOKEN": self.token,
        }

    def add(self, text: str, author: Any = None) -> Json:
        number = 1000 + len(self.comments)
        comment = {
            "id": number,
            "node_id": f"IC_kwDO{number}",
            "url": f"{self.url}/repos/acme/fleet/issues/comments/{number}",
            "html_url": f"https://github.com/acme/fleet/pull/{NUMBER}#issuecomment-{number}",
            "body": text,
            "user": author or self.bot,
            "created_at": "2026-02-01T09:00:00Z",
            "updated_at": "2026-02-01T09:00:00Z",
            "author_association": "NONE",
            "performed_via_github_app": None,
        }
        self.comments.append(comment)
        return comment

    def reply(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        lists = {f"/repos/acme/fleet/issues/{NUMBER}/comments", f"/repositories/99/issues/{NUMBER}/comments"}
        if request.authorization != self.proof:
            return Reply(401, {"message": "Bad credentials", "status": "401"})
        if request.method == "POST" and parts.path == "/graphql":
            assert "viewer" in request.body["query"]
            return Reply(200, {"data": {"viewer": {"databaseId": self.bot["id"]}}})
        if request.method == "POST" and parts.path in lists:
            return Reply(201, self.add(request.body["body"]))
        if request.method == "GET" and parts.path in lists:
            return self._page(parse_qs(parts.query))
        for comment in self.comments:
            if (
                request.method == "PATCH"
                and parts.path == f"/repos/acme/fleet/issues/comments/{comment['id']}"
            ):
                comment["body"] = request.body["body"]
                return Reply(200, comment)
        return Reply(404, {"message": "Not Found", "status": "404"})

    def _page(self, query: Mapping[str, list[str]]) -> Reply:
        size, page = min(100, int(query.get("per_page", ["30"])[0])), int(query.get("page", ["1"])[0])
        last = max(1, -(-len(self.comments) // size))
        base = f"{self.url}/repositories/99/issues/{NUMBER}/comments?per_page={size}"
        links = [f'<{base}&page={page - 1}>; rel="prev"'] if page > 1 else []
        if page < last:
            links += [f'<{base}&page={page + 1}>; rel="next"', f'<{base}&page={last}>; rel="last"']
        headers = {"Link": ", ".join(links)} if links else {}
        return Reply(200, self.comments[(page - 1) * size : page * size], headers)


class GitLab(Forge):
    """gitlab.com. `is_keyset` answers with a Link header alone, as newer lists do."""

    bot: ClassVar[Any] = {
        "id": 4711,
        "username": "project_5_bot_1f",
        "name": "reconciler",
        "state": "active",
        "bot": True,
    }
    stranger: ClassVar[Any] = {"id": 666, "username": "mallory", "name": "Mallory", "state": "active"}
    repository = "5"
    token = "glpat-8Zs9yYxkq2cKwN4uTq_3"
    proof = f"Bearer {token}"
    is_keyset = False

    @property
    def variables(self) -> dict[str, str]:
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": "6",  # a fork
            "CI_MERGE_REQUEST_PROJECT_ID": "5",
            "CI_MERGE_REQUEST_IID": str(NUMBER),
            "GITLAB_TOKEN": self.token,
        }

    def add(self, text: str, author: Any = None, *, system: bool = False) -> Json:
        note = {
            "id": 300 + len(self.comments),
            "type": None,
            "body": text,
            "author": author or self.bot,
            "created_at": "2026-02-01T09:00:00.000Z",
            "updated_at": "2026-02-01T09:00:00.000Z",
            "system": system,
            "noteable_id": 99,
            "noteable_type": "MergeRequest",
            "project_id": 5,
            "resolvable": False,
            "confidential": False,
            "internal": False,
            "noteable_iid": NUMBER,
        }
        self.comments.append(note)
        return note

    def reply(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        notes = f"/api/v4/projects/5/merge_requests/{NUMBER}/notes"
        if request.authorization != self.proof:
            return Reply(401, {"message": "401 Unauthorized"})
        if request.method == "GET" and parts.path == "/api/v4/user":
            return Reply(200, self.bot)
        if request.method == "POST" and parts.path == notes:
            return Reply(201, self.add(request.body["body"].strip()))
        if request.method == "GET" and parts.path == notes:
            return self._page(parts.path, parse_qs(parts.query))
        for note in self.comments:
            if request.method == "PUT" and parts.path == f"{notes}/{note['id']}":
                note["body"] = request.body["body"].strip()
                return Reply(200, note)
        return Reply(404, {"message": "404 Not found"})

    def _page(self, path: str, query: Mapping[str, list[str]]) -> Reply:
        size, page = min(100, int(query.get("per_page", ["20"])[0])), int(query.get("page", ["1"])[0])
        last = max(1, -(-len(self.comments) // size))
        found = self.comments if query.get("sort") == ["asc"] else self.comments[::-1]
        link = (
            f'<{self.url}{path}?page={page + 1}&per_page={size}&sort=asc>; rel="next"' if page < last else ""
        )
        headers = {
            "X-Next-Page": str(page + 1) if page < last else "",
            "X-Page": str(page),
            "X-Per-Page": str(size),
            "X-Prev-Page": str(page - 1) if page > 1 else "",
            "X-Total": str(len(found)),
            "X-Total-Pages": str(last),
        }
        return Reply(
            200,
            found[(page - 1) * size : page * size],
            {**({} if self.is_keyset else headers), **({"Link": link} if link else {})},
        )


class AzureDevOps(Forge):
    """dev.azure.com. `comments` are threads, and a list has all of them."""

    bot: ClassVar[Any] = {
        "displayName": "fleet Build Service (acme)",
        "id": "0b9f7c1e-6f0e-4f0f-9d53-6a2f6f4c1a11",
        "uniqueName": "Build\\0b9f7c1e",
    }
    stranger: ClassVar[Any] = {
        "displayName": "Mallory",
        "id": "d3b0c1aa-0d8d-4a3c-8c55-2f7d0a9be666",
        "uniqueName": "mallory@acme.com",
    }
    token = "eyJ0eXAiOiJKV1Qi.eyJuYW1laWQiOiIwYjlmN2MxZSJ9.c2lnbmF0dXJl"
    proof = f"Bearer {token}"
    guid = "2f3d2d53-7a3e-4b7f-9f5d-9d2b5a1c0e77"
    repository = f"The Fleet/{guid}"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "TF_BUILD": "True",
            "SYSTEM_COLLECTIONURI": f"{self.url}/acme/",
            "SYSTEM_TEAMPROJECT": "The Fleet",
            "BUILD_REPOSITORY_ID": self.guid,
            "BUILD_REPOSITORY_PROVIDER": "TfsGit",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": str(NUMBER),
            "SYSTEM_ACCESSTOKEN": self.token,
        }

    def text_of(self, comment: Json) -> str:
        text: str = comment["comments"][0]["content"]
        return text

    def add(self, text: str, author: Any = None, **changes: Any) -> Json:
        """A thread with one comment. Changes are fields of that comment."""
        number = 140 + len(self.comments)
        comment = {
            "id": 1,
            "parentCommentId": 0,
            "author": author or self.bot,
            "content": text,
            "publishedDate": "2026-02-01T09:00:00.000Z",
            "lastUpdatedDate": "2026-02-01T09:00:00.000Z",
            "commentType": "text",
            "usersLiked": [],
            "_links": {"self": {"href": f"{self.url}/acme/_apis/git/threads/{number}/comments/1"}},
        } | changes
        thread: Json = {
            "id": number,
            "pullRequestThreadContext": None,
            "threadContext": None,
            "publishedDate": "2026-02-01T09:00:00.000Z",
            "comments": [comment],
            "status": "closed",
            "properties": {},
            "identities": None,
            "isDeleted": False,
        }
        self.comments.append(thread)
        return thread

    def reply(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        version = parse_qs(parts.query).get("api-version", [""])[0]
        threads = (
            f"/acme/{quote('The Fleet')}/_apis/git/repositories/{self.guid}/pullRequests/{NUMBER}/threads"
        )
        if request.authorization != self.proof:
            return Reply(401, b"", {"WWW-Authenticate": "Bearer"})
        if request.method == "GET" and parts.path == "/acme/_apis/connectionData":
            if "-preview" not in version:
                return Reply(400, {"message": "The -preview flag must be supplied in the api-version."})
            return Reply(200, {"authenticatedUser": self.bot, "instanceId": "7e1f"})
        if request.method == "GET" and parts.path == threads and version:
            return Reply(200, {"value": self.comments, "count": len(self.comments)})
        if request.method == "POST" and parts.path == threads and version:
            (comment,) = request.body["comments"]
            assert (comment["parentCommentId"], comment["commentType"], request.body["status"]) == (0, 1, 4)
            return Reply(200, self.add(comment["content"]))
        for thread in self.comments:
            if request.method == "PATCH" and parts.path == f"{threads}/{thread['id']}/comments/1" and version:
                thread["comments"][0]["content"] = request.body["content"]
                return Reply(200, thread["comments"][0])
        return Reply(404, {"message": f"TF401180: {unquote(parts.path)} was not found.", "errorCode": 0})


FORGES: tuple[type[Forge], ...] = (GitHub, GitLab, AzureDevOps)


@contextmanager
def serve(kind: type[Forge]) -> Iterator[Forge]:
    """A forge for as long as this lasts."""
    with kind() as forge:
        thread = threading.Thread(target=forge.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield forge
        finally:
            forge.is_over.set()
            forge.shutdown()
            thread.join()


def in_a_second() -> str:
    """The moment in about a second, as GitHub names the reset of a limit."""
    return str(int(time.time()) + 1)
