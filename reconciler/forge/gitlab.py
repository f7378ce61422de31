"""GitLab: gitlab.com and self-managed. A comment on a merge request is a note."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from reconciler.forge.forge import (
    PER_PAGE,
    Call,
    Comment,
    Forge,
    PullRequest,
    author_at,
    identifier,
    next_link,
    rows,
    text_at,
)


def _headers(token: str) -> Mapping[str, str]:
    # Personal, project and group access tokens can be sent in this way too, not only as PRIVATE-TOKEN.
    return {"Accept": "application/json", "Authorization": f"Bearer {token}"}


def _list_comments(at: PullRequest) -> Call:
    # Oldest first, so that a note written meanwhile cannot move another note to a page that was already read.
    return Call("GET", f"{_notes(at)}?per_page={PER_PAGE}&order_by=created_at&sort=asc")


def _next_page(call: Call, headers: Mapping[str, str]) -> Call | None:
    """The request for the next page, by page number if the response gives one.

    Keyset pagination gives only a link. Behind a reverse proxy, the host in the link might be wrong.
    """
    if number := headers.get("X-Next-Page", "").strip():
        parts = urlsplit(call.url)
        query = {**dict(parse_qsl(parts.query)), "page": number}
        return Call("GET", parts._replace(query=urlencode(query)).geturl())
    url = next_link(headers)
    return Call("GET", url) if url else None


def _read_comments(body: Any) -> Sequence[Comment]:
    return [_read_comment(row) for row in rows(body) if row.get("system") is not True]


def _read_comment(row: Any) -> Comment:
    return Comment(identifier(row, "id"), author_at(row, "author", "id"), text_at(row, "body"))


def _ask_identity(at: PullRequest) -> Call:
    return Call("GET", f"{at.api}/user")


def _read_identity(body: Any) -> str:
    return identifier(body, "id")


def _create(at: PullRequest, text: str) -> Call:
    return Call("POST", _notes(at), {"body": text})


def _update(at: PullRequest, comment: Comment, text: str) -> Call:
    return Call("PUT", f"{_notes(at)}/{comment.key}", {"body": text})


def _notes(at: PullRequest) -> str:
    return f"{at.api}/projects/{quote(at.repository, safe='')}/merge_requests/{at.number}/notes"


GITLAB = Forge(
    name="GitLab",
    longest=1_000_000,
    sign_in=frozenset(),
    unauthorized_fix=(
        "set GITLAB_TOKEN to a project access token with the scope api; CI_JOB_TOKEN cannot write comments"
    ),
    forbidden_fix="use a project access token with the scope api and the role Developer",
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
