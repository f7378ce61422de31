"""Who may take which action of the page."""

import re

import pytest

from reconciler.web.page.action import Action, Visitor, grant, permissions

GRANTS = permissions(
    map(
        grant,
        ["pause=group:sre", "pause=user:ada", "resume=group:sre", "approve=user:ada", "pause=group:sre"],
    )
)


@pytest.mark.parametrize(
    "visitor, permitted",
    [
        pytest.param(Visitor("ada"), [Action.PAUSE, Action.APPROVE], id="a user"),
        pytest.param(Visitor("bob", frozenset({"sre"})), [Action.PAUSE, Action.RESUME], id="a member"),
        pytest.param(
            Visitor("ada", frozenset({"sre", "dev"})),
            [Action.PAUSE, Action.RESUME, Action.APPROVE],
            id="a user who is a member",
        ),
        pytest.param(Visitor("sre"), [], id="a user with the name of a group"),
        pytest.param(
            Visitor("bob", frozenset({"ada"})), [], id="a member of a group with the name of a user"
        ),
        pytest.param(Visitor("Ada"), [], id="another case"),
        pytest.param(Visitor("", frozenset({"sre"})), [], id="nobody, with groups"),
        pytest.param(Visitor(), [], id="nobody"),
    ],
)
def test_what_a_visitor_may_do(visitor: Visitor, permitted: list[Action]) -> None:
    assert list(GRANTS.permitted(visitor)) == permitted


def test_by_default_nobody_may_do_anything() -> None:
    assert permissions(()).permitted(Visitor("ada", frozenset({"sre"}))) == ()


@pytest.mark.parametrize(
    "action, holders",
    [(Action.PAUSE, "group sre and user ada"), (Action.RESUME, "group sre"), (Action.RETRY, "nobody")],
)
def test_who_may_is_said(action: Action, holders: str) -> None:
    assert GRANTS.holders(action) == holders


@pytest.mark.parametrize(
    "text, error",
    [
        pytest.param(
            "pause",
            "names no user and no group; write pause=user:NAME or pause=group:NAME",
            id="an action alone",
        ),
        pytest.param("pause=sre", "names no user and no group", id="a name of no kind"),
        pytest.param("pause=role:sre", "names no user and no group", id="another kind"),
        pytest.param("pause=group:", "names no user and no group", id="no name"),
        pytest.param("pause=user: ", "names no user and no group", id="a name of spaces"),
        pytest.param(
            "delete=group:sre", "names no action; write pause, resume, approve, ", id="another action"
        ),
        pytest.param("*=group:sre", "names no action", id="every action"),
        pytest.param("", "names no action", id="nothing"),
    ],
)
def test_what_is_no_grant(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        grant(text)
