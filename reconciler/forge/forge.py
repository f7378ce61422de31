"""What differs between forges, as pure functions: which requests to send, and how to read their responses.

Each forge is a module with one `Forge` value. `forges` lists them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PER_PAGE = 100  # comments; the most that GitHub and GitLab allow
_LINK = re.compile(r"<([^>]*)>([^<]*)")  # a URL, and its parameters
_NEXT = re.compile(r';\s*rel="?next\b')


class UnexpectedAnswer(Exception):
    """A response is not in the format that the forge documents. `str()` says what is missing."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The location of a pull request. `api` is the base URL of the API, without a trailing slash.

    `repository` is OWNER/NAME for GitHub, an id or a path for GitLab, and PROJECT/REPOSITORY for Azure
    DevOps.
    """

    api: str
    repository: str
    number: int

    def __str__(self) -> str:
        return f"pull request {self.number} of {self.repository}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API, without credentials. `body` is sent as JSON.

    is_query: whether the request is a GraphQL query. Even a failed query gets a response with status 200.
    """

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    is_query: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment. `key` identifies it in the API. `author` is the id of an account, or "" if unknown.

    `url` is the web page of the comment, or "" if the forge does not report it.
    """

    key: str
    author: str
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Forge:
    """A forge. Functions that read a response raise UnexpectedAnswer.

    longest: maximum number of characters in a comment.
    sign_in: HTTP statuses with which the forge sends a sign-in page.
    unauthorized_fix: what to do if the token is rejected.
    forbidden_fix: what to do if the token lacks the permission to comment.
    next_page: takes the request for a page and the headers of its response, and returns the request for the
        next page, or None.
    """

    name: str
    longest: int
    sign_in: frozenset[int]
    unauthorized_fix: str
    forbidden_fix: str
    headers: Callable[[str], Mapping[str, str]]
    list_comments: Callable[[PullRequest], Call]
    next_page: Callable[[Call, Mapping[str, str]], Call | None]
    read_comments: Callable[[Any], Sequence[Comment]]
    read_comment: Callable[[Any], Comment]
    ask_identity: Callable[[PullRequest], Call]
    read_identity: Callable[[Any], str]
    create: Callable[[PullRequest, str], Call]
    update: Callable[[PullRequest, Comment, str], Call]


def length(text: str) -> int:
    """The length in UTF-16 code units, as Azure DevOps counts. No other forge counts more.

    >>> length("a●"), length("🚀")
    (2, 2)
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def next_link(headers: Mapping[str, str]) -> str:
    """The URL of the next page in a Link header, or "" if there is none.

    >>> next_link({"Link": '<https://forge/7?page=1>; rel="prev", <https://forge/7?page=3>; rel="next"'})
    'https://forge/7?page=3'
    """
    links = _LINK.findall(headers.get("Link", ""))
    return next((url for url, parameters in links if _NEXT.search(parameters)), "")


def rows(value: Any) -> Sequence[Mapping[str, Any]]:
    """`value`, if it is a list of JSON objects. Otherwise raises UnexpectedAnswer."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise UnexpectedAnswer("no list of comments")
    return value


def identifier(value: Any, *path: str) -> str:
    """The id at this path, as text. Raises UnexpectedAnswer if there is no id."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise UnexpectedAnswer(f"no {'.'.join(path)}")
    return str(value)


def author_at(value: Any, *path: str) -> str:
    """The id of an account at this path, or "" if there is none, as for a deleted account."""
    try:
        return identifier(value, *path)
    except UnexpectedAnswer:
        return ""


def text_at(value: Mapping[str, Any], name: str) -> str:
    """The text in this field, or "" if there is none."""
    found = value.get(name)
    return found if isinstance(found, str) else ""
