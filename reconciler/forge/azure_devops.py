"""Azure DevOps Services and Azure DevOps Server.

A comment on a pull request is the first comment of a thread.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from reconciler.forge.forge import (
    Call,
    Comment,
    Forge,
    PullRequest,
    UnexpectedAnswer,
    author_at,
    identifier,
    rows,
    text_at,
)

_VERSION = "api-version=7.0"  # the newest version that Server 2022 supports too
_TEXT = 1  # the type of a comment that a person or program writes; the system has other types
_CLOSED = 4  # the status of a thread; a branch policy can block the merge while a thread is active


def _headers(token: str) -> Mapping[str, str]:
    """The headers for a token.

    A pipeline's own token is a JSON Web Token, and is sent as a bearer token. Any other token is a personal
    access token, and is sent as a password.
    """
    if token.count(".") == 2:
        proof = f"Bearer {token}"
    else:
        proof = f"Basic {base64.b64encode(f':{token}'.encode()).decode()}"
    # Suppress: Azure DevOps answers a rejected token with 401, and not with a sign-in page.
    return {"Accept": "application/json", "Authorization": proof, "X-TFS-FedAuthRedirect": "Suppress"}


def _list_comments(at: PullRequest) -> Call:
    return Call("GET", f"{_threads(at)}?{_VERSION}")


def _next_page(_call: Call, _headers: Mapping[str, str]) -> Call | None:
    """Always None, because one response contains all threads."""
    return None


def _read_comments(body: Any) -> Sequence[Comment]:
    if not isinstance(body, Mapping):
        raise UnexpectedAnswer("no list of comments")
    threads = [thread for thread in rows(body.get("value")) if thread.get("isDeleted") is not True]
    return [
        _comment(thread, row)
        for thread in threads
        for row in rows(thread.get("comments"))
        if row.get("isDeleted") is not True and row.get("commentType") != "system"
    ]


def _read_comment(body: Any) -> Comment:
    """The comment in the response to a write: a new thread, or a changed comment."""
    if isinstance(body, Mapping) and isinstance(body.get("comments"), list):
        first = next(iter(rows(body["comments"])), None)
        return _comment(body, first)
    return Comment(identifier(body, "id"), "", text_at(body, "content"))


def _comment(thread: Any, row: Any) -> Comment:
    key = f"{identifier(thread, 'id')}/{identifier(row, 'id')}"
    return Comment(key, author_at(row, "author", "id"), text_at(row, "content"))


def _ask_identity(at: PullRequest) -> Call:
    return Call(
        "GET", f"{at.api}/_apis/connectionData?api-version=7.0-preview.1"
    )  # this operation has only preview versions


def _read_identity(body: Any) -> str:
    return identifier(body, "authenticatedUser", "id")


def _create(at: PullRequest, text: str) -> Call:
    comment = {"parentCommentId": 0, "content": text, "commentType": _TEXT}
    return Call("POST", f"{_threads(at)}?{_VERSION}", {"comments": [comment], "status": _CLOSED})


def _update(at: PullRequest, comment: Comment, text: str) -> Call:
    thread, _, number = comment.key.partition("/")
    return Call("PATCH", f"{_threads(at)}/{thread}/comments/{number}?{_VERSION}", {"content": text})


def _threads(at: PullRequest) -> str:
    project, _, repository = at.repository.partition("/")
    git = f"{at.api}/{quote(project, safe='')}/_apis/git/repositories/{quote(repository, safe='')}"
    return f"{git}/pullRequests/{at.number}/threads"


AZURE_DEVOPS = Forge(
    name="Azure DevOps",
    longest=150_000,
    sign_in=frozenset({203, 302}),
    unauthorized_fix="set SYSTEM_ACCESSTOKEN in the `env` of the step to $(System.AccessToken)",
    forbidden_fix=(
        "grant the build service 'Contribute to pull requests' on the repository (Project settings, "
        "Repositories, Security)"
    ),
    headers=_headers,
    list_comments=_list_comments,
    next_page=_next_page,
    read_comments=_read_comments,
    read_comment=_read_comment,
    ask_identity=_ask_identity,
    read_identity=_read_identity,
    create=_create,
    update=_update,
)
