"""GitHub: github.com and Enterprise Server. A comment on a pull request is a comment on its issue."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def _list_comments(at: PullRequest) -> Call:
    return Call("GET", f"{_comments(at)}?per_page={PER_PAGE}")


def _next_page(_call: Call, headers: Mapping[str, str]) -> Call | None:
    url = next_link(headers)
    return Call("GET", url) if url else None


def _read_comments(body: Any) -> Sequence[Comment]:
    return [_read_comment(row) for row in rows(body)]


def _read_comment(row: Any) -> Comment:
    key, author = identifier(row, "id"), author_at(row, "user", "id")
    return Comment(key, author, text_at(row, "body"), text_at(row, "html_url"))


def _ask_identity(at: PullRequest) -> Call:
    """The request that asks which account the token belongs to.

    The token of a workflow may not read `/user`, but it may ask GraphQL for the viewer.
    """
    base = at.api.removesuffix("/v3")  # https://HOST/api/v3 of an Enterprise Server
    query = {"query": "query { viewer { databaseId } }"}
    return Call("POST", f"{base}/graphql", query, is_query=True)


def _read_identity(body: Any) -> str:
    return identifier(body, "data", "viewer", "databaseId")


def _create(at: PullRequest, text: str) -> Call:
    return Call("POST", _comments(at), {"body": text})


def _update(at: PullRequest, comment: Comment, text: str) -> Call:
    return Call("PATCH", f"{at.api}/repos/{at.repository}/issues/comments/{comment.key}", {"body": text})


def _comments(at: PullRequest) -> str:
    return f"{at.api}/repos/{at.repository}/issues/{at.number}/comments"


GITHUB = Forge(
    name="GitHub",
    longest=65_536,
    sign_in=frozenset(),
    unauthorized_fix="set GITHUB_TOKEN to a valid token; in a workflow, to ${{ github.token }}",
    forbidden_fix=(
        "give the job `permissions: pull-requests: write`; a workflow of a pull request from a fork has a "
        "token that can only read"
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
