"""Publishes our comment on a pull request: reads the comments, decides, and writes once.

A write that got no response might have had an effect. Before a write is repeated, the comments are read
again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from reconciler.forge.client import Answer, Client
from reconciler.forge.failure import SHORTER, ForgeFailure, Refused, Transient
from reconciler.forge.forge import Call, Comment, Forge, PullRequest, UnexpectedAnswer, length
from reconciler.forge.marker import Create, Keep, Update, choose, is_marked, mark
from reconciler.forge.patience import Patience

T = TypeVar("T")
_UNKNOWN = frozenset({400, 403, 404})  # the token is not allowed to ask which account it belongs to


class Action(StrEnum):
    """What was done with the comment."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Published:
    """The outcome. `others` are further comments with the marker, which were left unchanged.

    `is_own` is False if the forge did not say which account the token belongs to. It is then unknown whether
    that account wrote the comment.
    """

    action: Action
    comment: Comment
    others: tuple[Comment, ...]
    is_own: bool


def publish(client: Client, at: PullRequest, key: str, text: str, patience: Patience) -> Published:
    """Create or update the comment with this key. Raises ForgeFailure if that is impossible."""
    body = mark(key, text)
    check_length(client.forge, body)
    reader, tried = _Reader(client, patience), Action.UNCHANGED
    while True:
        ours, is_own = reader.ours(at, key)
        others = tuple(ours[1:])
        step = choose(ours, body)
        try:
            match step:
                case Keep(comment):
                    return Published(tried, comment, others, is_own)
                case Update(comment):
                    tried = Action.UPDATED
                    client.send(client.forge.update(at, comment, body))
                    return Published(tried, comment, others, is_own)
                case Create():
                    tried = Action.CREATED
                    answer = client.send(client.forge.create(at, body))
                    return Published(tried, _created(client.forge, answer), others, is_own)
        except Transient as failure:
            patience.wait(failure)


def check_length(forge: Forge, body: str) -> None:
    """Raise ForgeFailure if the comment is too long for the forge."""
    if (characters := length(body)) > forge.longest:
        raise ForgeFailure(
            f"the comment has {characters:,} characters, but {forge.name} accepts at most {forge.longest:,}; "
            f"{SHORTER}"
        )


def _created(forge: Forge, answer: Answer) -> Comment:
    """The new comment, or an empty Comment if the response does not show it. It exists in either case."""
    try:
        return forge.read_comment(answer.body)
    except UnexpectedAnswer:
        return Comment("", "", "")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads from the forge, and retries a read that fails for a transient reason."""

    client: Client
    patience: Patience

    def ours(self, at: PullRequest, key: str) -> tuple[Sequence[Comment], bool]:
        """Our marked comments, and whether the account of the token is known.

        Our comments are those that the account of the token wrote. If the account is unknown, all marked
        comments are returned. If no comment has the marker, no request asks for the account.
        """
        marked = [each for each in self._comments(at) if is_marked(key, each.text)]
        account = self._account(at) if marked else ""
        if account is None:
            return marked, False
        return [each for each in marked if each.author == account], True

    def _comments(self, at: PullRequest) -> Iterator[Comment]:
        forge = self.client.forge
        call: Call | None = forge.list_comments(at)
        seen = set()
        while call:
            if call.url in seen:
                raise self._malformed("a next page that was read before")
            seen.add(call.url)
            answer = self._read(call)
            yield from self._parsed(forge.read_comments, answer.body)
            call = forge.next_page(call, answer.headers)

    def _account(self, at: PullRequest) -> str | None:
        """The id of the account that the token belongs to, or None if the token may not ask for it."""
        forge = self.client.forge
        try:
            answer = self._read(forge.ask_identity(at))
        except Refused as refused:
            if refused.status in _UNKNOWN:
                return None
            raise
        return self._parsed(forge.read_identity, answer.body)

    def _read(self, call: Call) -> Answer:
        while True:
            try:
                return self.client.send(call)
            except Transient as failure:
                self.patience.wait(failure)

    def _parsed(self, parse: Callable[[Any], T], body: Any) -> T:
        try:
            return parse(body)
        except UnexpectedAnswer as error:
            raise self._malformed(str(error)) from error

    def _malformed(self, what: str) -> ForgeFailure:
        return ForgeFailure(
            f"{self.client.forge.name} sent a response that cannot be read: {what}; check the API URL"
        )
