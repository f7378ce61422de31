"""The actions of the page, and who may take them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from reconciler.spec.author import is_person_name
from reconciler.spec.wording import one_of, quote


class Action(StrEnum):
    """A verb of the command line that the page also offers. Each needs its own permission."""

    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    RETRY = "retry"
    RECONCILE = "reconcile"
    UPGRADE = "upgrade"


OF_FLEET = (Action.PAUSE, Action.RESUME)
"""The actions that a person may take on the whole fleet."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A reader of a page. If the reader is not signed in, `name` is "", and `note` may say why."""

    name: str = ""
    groups: frozenset[str] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission for a user, or for the members of a group, to take an action."""

    action: Action
    kind: Literal["user", "group"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def covers(self, visitor: Visitor) -> bool:
        return self.name in visitor.groups if self.kind == "group" else self.name == visitor.name


@dataclass(frozen=True, slots=True)
class Grants:
    """All grants together. Without any, nobody may do anything."""

    grants: Sequence[Grant] = field(default=())

    def permitted(self, visitor: Visitor) -> tuple[Action, ...]:
        """The actions that a visitor may take."""
        if not visitor.name:
            return ()
        return tuple(
            each
            for each in Action
            if any(grant.action is each and grant.covers(visitor) for grant in self.grants)
        )

    def include(self, *actions: Action) -> bool:
        """Whether anybody may take one of these actions."""
        return any(each.action in actions for each in self.grants)

    def holders(self, action: Action) -> str:
        """A phrase that names who may take an action."""
        found = [str(each) for each in self.grants if each.action is action]
        return one_of(found, last="and") if found else "nobody"


def grant(text: str) -> Grant:
    """Parse a grant, such as "pause=group:sre". Raises ValueError, with the cause and the fix.

    >>> grant("approve=user:ada@example.com")
    Grant(action=<Action.APPROVE: 'approve'>, kind='user', name='ada@example.com')
    """
    action, _, subject = text.strip().partition("=")
    kind, _, name = subject.partition(":")
    if action not in set(Action):
        raise ValueError(f"{quote(text)} names no action; write {one_of(Action)}, as in pause=group:sre")
    if kind not in {"user", "group"} or not is_person_name(name):
        raise ValueError(
            f"{quote(text)} names no user and no group; write {action}=user:NAME or {action}=group:NAME"
        )
    return Grant(Action(action), "user" if kind == "user" else "group", name.strip())


def permissions(grants: Iterable[Grant]) -> Grants:
    """These grants, without duplicates."""
    return Grants(tuple(dict.fromkeys(grants)))
