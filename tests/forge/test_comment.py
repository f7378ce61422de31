"""`reconciler comment` against the three forges: what is read, what is written, and what is left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forge.server import (
    FORGES,
    AzureDevOps,
    Fault,
    Forge,
    GitHub,
    GitLab,
    Reply,
    hang_up,
    in_a_second,
    serve,
)
from tests.forge.typed import comment

MARK = "<!-- vmss-reconciler:plan -->"
NAMES = ["GitHub", "GitLab", "Azure DevOps"]


@pytest.fixture(params=FORGES, ids=NAMES)
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    """Each of the forges in turn."""
    with serve(request.param) as served:
        yield served


@pytest.fixture
def github() -> Iterator[Forge]:
    with serve(GitHub) as served:
        yield served


def body(text: str) -> str:
    return f"{MARK}\n\n{text}"


def test_the_first_run_makes_a_comment(forge: Forge) -> None:
    forge.add("looks good", forge.stranger)
    done = comment(forge, "the plan\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("comment created: ")
    assert forge.texts() == ["looks good", body("the plan")]
    assert {each.authorization for each in forge.requests} == {forge.proof}


def test_a_comment_is_updated_in_place_on_the_second_page(forge: Forge) -> None:
    for number in range(120):
        forge.add(f"remark {number}", forge.stranger)
    forge.add(body("the old plan"))
    done = comment(forge, "the new plan")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("comment updated: ")
    assert forge.texts()[-1] == body("the new plan")
    assert len(forge.texts()) == 121
    assert len(forge.writes) == 1
    pages = 1 if isinstance(forge, AzureDevOps) else 2
    assert len(forge.requests) == pages + len(["the account", "the update"]), "a page has 100 comments"


def test_a_comment_on_the_second_page_of_a_keyset_is_found() -> None:
    with serve(GitLab) as gitlab:
        assert isinstance(gitlab, GitLab)
        gitlab.is_keyset = True
        for number in range(120):
            gitlab.add(f"remark {number}", gitlab.stranger)
        gitlab.add(body("the old plan"))
        assert comment(gitlab).stdout.startswith("comment updated: ")


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(body("the plan"), id="the same text"),
        pytest.param(
            body("the plan").replace("\n", "\r\n") + "\r\n", id="the same text with other line ends"
        ),
    ],
)
def test_nothing_is_written_if_the_text_is_the_same(kept: str, forge: Forge) -> None:
    forge.add(kept)
    done = comment(forge, "the plan\n\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("comment unchanged: ")
    assert forge.writes == []


def test_each_key_has_a_comment_of_its_own(forge: Forge) -> None:
    comment(forge, "the plan")
    comment(forge, "the other plan", "--key", "plan/prod")
    comment(forge, "the plan again")
    assert forge.texts() == [
        body("the plan again"),
        "<!-- vmss-reconciler:plan/prod -->\n\nthe other plan",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(body("an old plan"), id="a stranger's comment that begins with the marker"),
        pytest.param(f"> {body('an old plan')}", id="a stranger's comment that quotes the marker"),
        pytest.param(f"what is {MARK}?", id="a stranger's comment that contains the marker"),
    ],
)
def test_a_comment_of_someone_else_is_not_edited(text: str, forge: Forge) -> None:
    forge.add(text, forge.stranger)
    done = comment(forge)
    assert (done.exit_code, done.stderr) == (0, "")
    assert forge.texts() == [text, body("the plan")]


def test_our_own_comment_that_quotes_the_marker_is_not_edited(forge: Forge) -> None:
    forge.add(f"as in\n\n{body('an old plan')}")
    comment(forge)
    assert len(forge.texts()) == 2


def test_of_two_comments_with_the_marker_the_first_is_updated_and_the_second_is_reported(
    forge: Forge,
) -> None:
    forge.add(body("one"))
    forge.add(body("two"))
    done = comment(forge)
    assert done.exit_code == 0
    assert forge.texts() == [body("the plan"), body("two")]
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: 1 more comment with the key plan was not updated; delete ")


def test_the_account_of_the_token_is_asked_for_only_if_it_matters(forge: Forge) -> None:
    comment(forge)
    assert len(forge.requests) == 2
    comment(forge)
    assert len(forge.requests) == 4


def test_the_first_marked_comment_counts_if_the_forge_does_not_tell_whose_the_token_is() -> None:
    with serve(GitLab) as gitlab:
        gitlab.add(body("an old plan"))
        refused = Reply(403, {"error": "insufficient_scope", "error_description": "requires read_user"})
        gitlab.faults = [Fault(Reply(200, gitlab.comments)), Fault(refused)]
        done = comment(gitlab)
        assert (done.exit_code, gitlab.texts()) == (0, [body("the plan")])
        assert done.stderr.startswith("warning: GitLab does not say whose token this is")


def test_deleted_comments_and_those_of_the_system_do_not_count() -> None:
    with serve(AzureDevOps) as azure, serve(GitLab) as gitlab:
        assert isinstance(azure, AzureDevOps)
        assert isinstance(gitlab, GitLab)
        azure.add(body("an old plan"), isDeleted=True)
        azure.add(body("an old plan"))["isDeleted"] = True
        azure.add(body("an old plan"), commentType="system")
        gitlab.add(body("an old plan"), system=True)
        assert [comment(each).stdout.split(":")[0] for each in (azure, gitlab)] == ["comment created"] * 2


def test_a_comment_of_a_deleted_account_does_not_count(github: Forge) -> None:
    github.add(body("an old plan"))["user"] = None
    assert comment(github).stdout.startswith("comment created: ")


def test_a_personal_access_token_of_azure_devops_is_sent_as_a_password() -> None:
    with serve(AzureDevOps) as azure:
        azure.proof = "Basic OmFrNTJjaGFyYWN0ZXJz"
        done = comment(azure, SYSTEM_ACCESSTOKEN="ak52characters")
        assert (done.exit_code, done.stderr) == (0, "")


def test_a_password_in_netrc_does_not_replace_the_token(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password wrong\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert comment(forge).exit_code == 0


LIMITED = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


@pytest.mark.parametrize(
    "kind, status, headers, said",
    [
        pytest.param(GitHub, 403, {"Retry-After": "1"}, LIMITED, id="GitHub's secondary limit"),
        pytest.param(GitHub, 429, {"Retry-After": "1"}, LIMITED, id="GitHub's 429"),
        pytest.param(
            GitHub,
            403,
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"},
            {"message": "API rate limit exceeded for installation ID 1."},
            id="GitHub's primary limit until its reset",
        ),
        pytest.param(GitLab, 429, {"Retry-After": "1"}, {"message": "Too many requests"}, id="GitLab's 429"),
        pytest.param(
            AzureDevOps,
            429,
            {"Retry-After": "1"},
            {"message": "TF400733: The request has been canceled."},
            id="Azure DevOps' 429",
        ),
        pytest.param(AzureDevOps, 503, {"Retry-After": "1"}, {"message": "busy"}, id="Azure DevOps' 503"),
        pytest.param(GitHub, 502, {}, b"<html>Bad Gateway</html>", id="a gateway that fails"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_is_waited_for_and_the_comment_is_made_once(
    method: str, kind: type[Forge], status: int, headers: dict[str, str], said: object
) -> None:
    def reply() -> Reply:
        return Reply(status, said, {k: in_a_second() if v == "soon" else v for k, v in headers.items()})

    with serve(kind) as forge:
        forge.faults = [Fault(reply, methods=(method,))]
        done = comment(forge, "the plan", "--timeout", "30s")
        assert (done.exit_code, done.stderr, forge.texts()) == (0, "", [body("the plan")])


def test_a_limit_of_graphql_comes_with_status_200_and_is_waited_for(github: Forge) -> None:
    """Without the account, a comment with the marker that someone else wrote would count as ours."""
    github.add(body("an old plan"), github.stranger)
    limited = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}]}

    def reply() -> Reply:
        return Reply(200, limited, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in_a_second()})

    github.faults = [Fault(reply, methods=("POST",))]
    done = comment(github, "the plan", "--timeout", "30s")
    assert (done.exit_code, done.stderr) == (0, "")
    assert github.texts() == [body("an old plan"), body("the plan")]


UNAVAILABLE = {"message": "Something went wrong while executing your query."}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(UNAVAILABLE, id="of no type"),
        pytest.param(UNAVAILABLE | {"type": "SERVICE_UNAVAILABLE"}, id="of an unknown type"),
    ],
)
def test_an_error_of_graphql_that_may_pass_leaves_the_comments_of_others_alone(
    github: Forge, error: dict[str, str]
) -> None:
    github.add(body("an old plan"), github.stranger)
    github.faults = [Fault(Reply(200, {"data": None, "errors": [error]}), methods=("POST",))]
    done = comment(github, "the plan", "--timeout", "30s")
    assert (done.exit_code, done.stderr) == (0, "")
    assert github.texts() == [body("an old plan"), body("the plan")]


def test_an_error_of_graphql_that_lasts_is_shown_with_the_status_that_it_had(github: Forge) -> None:
    github.add(body("an old plan"))
    github.faults = [Fault(Reply(200, {"errors": [UNAVAILABLE]}), methods=("POST",), times=None)]
    done = comment(github, "the plan", "--timeout", "2s")
    assert done.exit_code != 0
    assert "GitHub failed (200: Something went wrong while executing your query.)" in done.stderr
    assert github.texts() == [body("an old plan")]


@pytest.mark.parametrize("kind", ["FORBIDDEN", "INSUFFICIENT_SCOPES"])
def test_a_token_that_may_not_ask_graphql_updates_the_first_marked_comment(github: Forge, kind: str) -> None:
    github.add(body("an old plan"))
    message = "Resource not accessible by integration"
    refused = {"data": {"viewer": None}, "errors": [{"type": kind, "message": message}]}
    github.faults = [Fault(Reply(200, refused), methods=("POST",))]
    done = comment(github)
    assert (done.exit_code, github.texts()) == (0, [body("the plan")])
    assert done.stderr.startswith("warning: GitHub does not say whose token this is")


def test_errors_in_a_comment_are_no_failure_of_graphql(github: Forge) -> None:
    """A field of that name in a response of REST means nothing."""
    reply = {"id": 1, "html_url": "https://github.com/acme/fleet/pull/7", "errors": [{"message": "no"}]}
    github.faults = [Fault(Reply(201, reply), methods=("POST",), after=True)]
    done = comment(github)
    assert (done.exit_code, github.texts()) == (0, [body("the plan")])
    assert [each.method for each in github.requests] == ["GET", "POST"]


def test_a_limit_that_lasts_ends_with_the_time_that_was_waited(forge: Forge) -> None:
    forge.faults = [Fault(Reply(429, {"message": "slow down"}, {"Retry-After": "1"}), times=None)]
    done = comment(forge, "the plan", "--timeout", "2s")
    assert done.exit_code == 1
    assert (
        " limits the rate of requests (429: slow down); it asks for a wait of 1s; gave up after "
        in done.stderr
    )
    assert done.stderr.endswith("retry later, or pass a --timeout above 2s\n")
    assert len(forge.requests) > 1


def test_a_limit_beyond_the_timeout_is_not_waited_for(github: Forge) -> None:
    github.faults = [Fault(Reply(403, LIMITED, {"Retry-After": "3600"}), times=None)]
    done = comment(github)
    assert done.exit_code == 1
    assert "it asks for a wait of 1h; gave up after 0s" in done.stderr
    assert len(github.requests) == 1


def test_a_comment_whose_response_is_lost_is_not_made_twice(forge: Forge) -> None:
    forge.faults = [Fault(Reply(0, then=hang_up), methods=("POST",), after=True)]
    done = comment(forge, "the plan", "--timeout", "30s")
    assert (done.exit_code, forge.texts()) == (0, [body("the plan")])
    assert done.stdout.startswith("comment created: ")


def test_a_comment_whose_response_cannot_be_read_is_made(forge: Forge) -> None:
    forge.faults = [Fault(Reply(201, b'{"id": 1'), methods=("POST",), after=True)]
    done = comment(forge)
    assert (done.exit_code, forge.texts()) == (0, [body("the plan")])


def test_a_renamed_repository_is_followed_on_the_same_host(github: Forge) -> None:
    moved = Reply(301, {"message": "Moved Permanently"}, {"Location": "/repositories/99/issues/7/comments"})
    github.faults = [Fault(moved), Fault(moved, methods=("POST",))]
    done = comment(github)
    assert (done.exit_code, done.stderr, github.texts()) == (0, "", [body("the plan")])
