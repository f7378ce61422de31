"""What goes wrong at a forge: one line with the cause and the fix, within the timeout, and without the token."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.cli import markdown
from reconciler.forge.failure import ROWS, ForgeFailure, Refusal, Transient, rate_limit
from reconciler.forge.forge import length
from reconciler.forge.forges import FORGES as FORGES_BY_NAME
from reconciler.forge.marker import LONGEST_KEY, mark
from reconciler.forge.patience import Patience
from tests.forge.server import (
    FORGES,
    AzureDevOps,
    Fault,
    Forge,
    GitHub,
    GitLab,
    Handler,
    Reply,
    drip,
    serve,
    stall,
)
from tests.forge.test_comment import NAMES, body
from tests.forge.typed import comment

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "pull-request.md").read_text()


@pytest.fixture(params=FORGES, ids=NAMES)
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with serve(request.param) as served:
        yield served


TOO_LONG = {
    "message": "Validation Failed",
    "errors": [
        {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long"}
    ],
}


@pytest.mark.parametrize(
    "kind, reply, said",
    [
        pytest.param(
            GitHub,
            Reply(401, {"message": "Bad credentials"}),
            "GitHub rejects the token (401: Bad credentials); set GITHUB_TOKEN to a valid token; in a workflow, to ${{ github.token }}",
            id="GitHub 401",
        ),
        pytest.param(
            GitHub,
            Reply(403, {"message": "Resource not accessible by integration"}),
            "the token is not allowed to comment here (403: Resource not accessible by integration); give the job `permissions: pull-requests: write`; a workflow of a pull request from a fork has a token that can only read",
            id="GitHub 403",
        ),
        pytest.param(
            GitHub,
            Reply(403, {"message": "Unable to create comment because issue is locked."}),
            "the conversation is locked (403: Unable to create comment because issue is locked.); unlock it",
            id="GitHub 403 for a locked conversation",
        ),
        pytest.param(
            GitHub,
            Reply(404, {"message": "Not Found"}),
            "GitHub has no such pull request, or the token cannot read it (404: Not Found); check the repository, the number, and what the token may read",
            id="GitHub 404",
        ),
        pytest.param(
            GitHub,
            Reply(410, {"message": "This issue was deleted"}),
            "the pull request was deleted, or its comments are turned off (410: This issue was deleted); check the number, and the settings of the repository",
            id="GitHub 410",
        ),
        pytest.param(
            GitHub,
            Reply(422, TOO_LONG),
            "the text is too long for GitHub (422: Validation Failed: Body is too long); write less; `reconciler plan -o markdown` shortens its own output",
            id="GitHub 422 for a long text",
        ),
        pytest.param(
            GitHub,
            Reply(422, {"message": "Validation Failed"}),
            "GitHub rejects the comment (422: Validation Failed); change what the message names",
            id="GitHub 422 for another reason",
        ),
        pytest.param(
            GitLab,
            Reply(401, {"message": "401 Unauthorized"}),
            "GitLab rejects the token (401: 401 Unauthorized); set GITLAB_TOKEN to a project access token with the scope api; CI_JOB_TOKEN cannot write comments",
            id="GitLab 401, as for CI_JOB_TOKEN",
        ),
        pytest.param(
            GitLab,
            Reply(403, {"error": "insufficient_scope", "error_description": "requires higher privileges"}),
            "the token is not allowed to comment here (403: insufficient_scope: requires higher privileges); use a project access token with the scope api and the role Developer",
            id="GitLab 403",
        ),
        pytest.param(
            GitLab,
            Reply(404, {"message": "404 Project Not Found"}),
            "GitLab has no such pull request, or the token cannot read it (404: 404 Project Not Found); check the repository, the number, and what the token may read",
            id="GitLab 404",
        ),
        pytest.param(
            GitLab,
            Reply(400, {"message": {"note": ["is too long (maximum is 1000000 characters)"]}}),
            "the text is too long for GitLab (400: note: is too long (maximum is 1000000 characters)); write less; `reconciler plan -o markdown` shortens its own output",
            id="GitLab 400 for a long text",
        ),
        pytest.param(
            GitLab,
            Reply(413, b"<html>Request Entity Too Large</html>"),
            "the text is too long for GitLab or a proxy in front of it (413); write less; `reconciler plan -o markdown` shortens its own output",
            id="a proxy before GitLab that refuses a long text",
        ),
        pytest.param(
            AzureDevOps,
            Reply(401, b""),
            "Azure DevOps rejects the token (401); set SYSTEM_ACCESSTOKEN in the `env` of the step to $(System.AccessToken)",
            id="Azure DevOps 401",
        ),
        pytest.param(
            AzureDevOps,
            Reply(203, b"<html>Sign in</html>"),
            "Azure DevOps rejects the token (401); set SYSTEM_ACCESSTOKEN in the `env` of the step to $(System.AccessToken)",
            id="Azure DevOps with a page to sign in",
        ),
        pytest.param(
            AzureDevOps,
            Reply(302, b"", {"Location": "https://spsprodweu1.vssps.visualstudio.com/_signin"}),
            "Azure DevOps rejects the token (401); set SYSTEM_ACCESSTOKEN in the `env` of the step to $(System.AccessToken)",
            id="Azure DevOps with a redirect to sign in",
        ),
        pytest.param(
            AzureDevOps,
            Reply(403, {"message": "TF401027: You need the Git 'PullRequestContribute' permission"}),
            "the token is not allowed to comment here (403: TF401027: You need the Git 'PullRequestContribute' permission); grant the build service 'Contribute to pull requests' on the repository (Project settings, Repositories, Security)",
            id="Azure DevOps 403",
        ),
        pytest.param(
            AzureDevOps,
            Reply(404, {"message": "TF401180: The requested pull request was not found."}),
            "Azure DevOps has no such pull request, or the token cannot read it (404: TF401180: The requested pull request was not found.); check the repository, the number, and what the token may read",
            id="Azure DevOps 404",
        ),
        pytest.param(
            AzureDevOps,
            Reply(400, {"message": "A discussion comment cannot be longer than 150000 characters."}),
            "the text is too long for Azure DevOps (400: A discussion comment cannot be longer than 150000 characters.); write less; `reconciler plan -o markdown` shortens its own output",
            id="Azure DevOps 400 for a long text",
        ),
        pytest.param(
            GitHub,
            Reply(451, {"message": "Repository access blocked"}),
            "GitHub sent an unexpected response (451: Repository access blocked); check the API URL",
            id="a status that is not in the table",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refusal_is_reported_at_once(method: str, kind: type[Forge], reply: Reply, said: str) -> None:
    with serve(kind) as forge:
        forge.faults = [Fault(reply, methods=(method,), times=None)]
        done = comment(forge)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"error: pull request 7 of {forge.repository}: {said}\n"
        assert len([each for each in forge.requests if each.method == method]) == 1


def test_a_refused_update_is_reported(forge: Forge) -> None:
    forge.add(body("an old plan"))
    forge.faults = [Fault(Reply(403, {"message": "no"}), methods=("PATCH", "PUT"))]
    done = comment(forge)
    assert done.exit_code == 1
    assert "the token is not allowed to comment here (403: no); " in done.stderr


def test_every_row_of_the_table_is_in_the_page() -> None:
    plain = re.compile(r"\{\w+\}")
    assert [row.cause for row in ROWS if plain.sub("FORGE", row.cause) not in PAGE] == []


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(lambda url: Reply(307, b"", {"Location": f"{url}/anywhere"}), id="a redirect"),
        pytest.param(lambda url: Reply(200, [], {"Link": f'<{url}/2>; rel="next"'}), id="a next page"),
    ],
)
def test_the_token_is_not_sent_to_another_host(of: Callable[[str], Reply]) -> None:
    with serve(GitHub) as github, serve(GitHub) as other:
        github.faults = [Fault(of(other.url))]
        done = comment(github)
        assert done.exit_code == 1
        assert done.stderr.endswith(
            f"GitHub refers to {other.url}, but the token is sent only to {github.url}; correct the API URL\n"
        )
        assert other.requests == []


def test_a_redirect_to_a_password_does_not_show_it() -> None:
    with serve(GitHub) as github:
        github.faults = [
            Fault(Reply(307, b"", {"Location": f"https://me:{github.token}@elsewhere.example/"}))
        ]
        assert "GitHub refers to https://elsewhere.example, " in comment(github).stderr


def test_redirects_in_a_circle_end(forge: Forge) -> None:
    forge.faults = [Fault(Reply(308, b"", {"Location": "/again"}), times=None)]
    assert "redirects too many times; check the API URL" in comment(forge).stderr


@pytest.mark.parametrize("kind", [GitHub, GitLab], ids=["GitHub", "GitLab"])
def test_pages_in_a_circle_end(kind: type[Forge]) -> None:
    with serve(kind) as forge:
        headers = {"X-Next-Page": "2", "Link": f'<{forge.url}/2>; rel="next"'}
        forge.faults = [Fault(Reply(200, [], headers), times=None)]
        assert "a next page that was read before; check the API URL" in comment(forge).stderr


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"<html>Welcome</html>", id="a page"),
        pytest.param(b'[{"id": 1', id="half a list"),
        pytest.param({"message": "hello"}, id="an object without comments"),
        pytest.param([["no comment"]], id="a list of something else"),
        pytest.param([{"body": "no id"}], id="a comment without an id"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(None, id="null"),
    ],
)
def test_a_list_that_cannot_be_read_is_a_failure_and_nothing_is_written(answer: object, forge: Forge) -> None:
    value = answer if isinstance(answer, bytes) or not isinstance(forge, AzureDevOps) else {"value": answer}
    forge.faults = [Fault(Reply(200, value))]
    done = comment(forge)
    assert done.exit_code == 1
    assert " sent a response that cannot be read: no " in done.stderr
    assert done.stderr.endswith("; check the API URL\n")
    assert forge.writes == []


def test_a_malformed_account_is_a_failure_and_nothing_is_written(forge: Forge) -> None:
    forge.add(body("an old plan"))
    forge.faults = [Fault(Reply(200, {"data": None}), methods=("POST",))]
    if not isinstance(forge, GitHub):
        listed = forge.comments if isinstance(forge, GitLab) else {"value": forge.comments}
        forge.faults = [Fault(Reply(200, listed)), Fault(Reply(200, {}))]
    done = comment(forge)
    assert (done.exit_code, forge.texts()) == (1, [body("an old plan")])
    assert " sent a response that cannot be read: no " in done.stderr


@pytest.mark.parametrize(
    "then, headers",
    [
        pytest.param(stall, {}, id="a server that does not answer"),
        pytest.param(drip, {"Content-Length": "1000000"}, id="a server that sends a byte at a time"),
    ],
)
def test_a_slow_server_is_given_up_after_the_timeout(
    then: Callable[[Handler], None], headers: dict[str, str], forge: Forge
) -> None:
    status = 200 if then is drip else 0
    forge.faults = [Fault(Reply(status, then=then, headers=headers), times=None)]
    done = comment(forge, "the plan", "--timeout", "2s")
    assert done.exit_code == 1
    assert re.search(
        r" did not answer within [12]s; gave up after \d+s; retry later, or pass a --timeout", done.stderr
    )


def test_a_server_that_is_not_there_is_given_up_after_the_timeout() -> None:
    with serve(GitHub) as github:
        url = github.url
    done = comment(github, "the plan", "--timeout", "2s", GITHUB_API_URL=url)
    assert done.exit_code == 1
    assert "GitHub cannot be reached: Connection refused; gave up after " in done.stderr


@pytest.mark.parametrize(
    "before, shown",
    [
        pytest.param("bad token\n\x1b[2J", "bad token \\x1b[2J***", id="a message with the token in it"),
        pytest.param(
            "x" * 190, f"{'x' * 190}***", id="a message that would be cut in the middle of the token"
        ),
        pytest.param("x" * 300, "x" * 200, id="a long message"),
    ],
)
def test_a_message_of_the_forge_is_shown_in_one_line_without_the_token(before: str, shown: str) -> None:
    with serve(GitHub) as github:
        github.faults = [Fault(Reply(401, {"message": f"{before}{github.token}"}))]
        assert f"GitHub rejects the token (401: {shown}); " in comment(github).stderr


@pytest.mark.parametrize(
    "kind, longest", [(GitHub, 65_536), (GitLab, 1_000_000), (AzureDevOps, 150_000)], ids=NAMES
)
def test_a_text_that_is_too_long_is_refused_before_anything_is_sent(kind: type[Forge], longest: int) -> None:
    room = longest - len(body(""))
    with serve(kind) as forge:
        done = comment(forge, "x" * (room + 1))
        assert (done.exit_code, done.stdout, forge.requests) == (1, "", [])
        assert f"the comment has {longest + 1:,} characters, but " in done.stderr
        assert done.stderr.endswith("write less; `reconciler plan -o markdown` shortens its own output\n")
        assert comment(forge, "x" * room).exit_code == 0


def test_a_plan_of_the_greatest_length_fits_at_every_forge() -> None:
    marked = length(mark("k" * LONGEST_KEY, "x" * markdown.LONGEST))
    assert [forge.name for forge in FORGES_BY_NAME.values() if marked > forge.longest] == []


def test_characters_are_counted_in_utf_16() -> None:
    with serve(AzureDevOps) as azure:
        assert "the comment has 160,0" in comment(azure, "🚀" * 80_000).stderr


@pytest.mark.parametrize(
    "refusal, seconds",
    [
        pytest.param(Refusal(429, {}, ""), 60, id="a minute if the forge names no time"),
        pytest.param(Refusal(429, {"Retry-After": "0"}, ""), 1, id="at least a second"),
        pytest.param(Refusal(429, {"Retry-After": "9999999999"}, ""), 86_400, id="at most a day"),
        pytest.param(
            Refusal(
                429,
                {"Retry-After": "Sun, 01 Feb 2026 09:00:30 GMT", "Date": "Sun, 01 Feb 2026 09:00:00 GMT"},
                "",
            ),
            30,
            id="until a date",
        ),
        pytest.param(
            Refusal(429, {"Retry-After": "Sun, 01 Feb 2026 09:00:30 GMT"}, ""), 60, id="no clock to compare"
        ),
        pytest.param(Refusal(429, {"Retry-After": "soon"}, ""), 60, id="no time at all"),
        pytest.param(
            Refusal(
                403,
                {
                    "X-RateLimit-Remaining": "4999",
                    "X-RateLimit-Reset": "1769940000",
                    "Date": "Sun, 01 Feb 2026 09:00:00 GMT",
                },
                "secondary rate limit",
            ),
            60,
            id="the reset of another limit does not count",
        ),
        pytest.param(
            Refusal(
                429,
                {
                    "RateLimit-Remaining": "0",
                    "RateLimit-Reset": "1769936445",
                    "Date": "Sun, 01 Feb 2026 09:00:00 GMT",
                },
                "",
            ),
            45,
            id="the reset of GitLab's limit",
        ),
        pytest.param(Refusal(403, {"X-RateLimit-Remaining": "0"}, ""), 60, id="a 403 with nothing remaining"),
        pytest.param(Refusal(403, {}, "Must have admin rights"), None, id="a 403 that is no limit"),
        pytest.param(Refusal(500, {"Retry-After": "1"}, ""), None, id="another status"),
    ],
)
def test_the_wait_that_a_response_asks_for(refusal: Refusal, seconds: int | None) -> None:
    assert rate_limit(refusal) == (None if seconds is None else timedelta(seconds=seconds))


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.at = 0.0
        self.waits: list[float] = []

    def read(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


def test_waits_without_a_named_time_grow_to_half_a_minute_and_end_before_the_limit() -> None:
    clock = Clock()
    patience = Patience(timedelta(minutes=2), clock.read, clock.sleep)
    failure = Transient("it failed")
    for _ in range(7):
        patience.wait(failure)
    with pytest.raises(
        ForgeFailure, match=r"^it failed; gave up after 1m31s; retry later, or pass .* above 2m$"
    ):
        patience.wait(failure)
    assert clock.waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_named_wait_does_not_make_the_next_one_longer() -> None:
    clock = Clock()
    patience = Patience(timedelta(minutes=2), clock.read, clock.sleep)
    for wait in (timedelta(seconds=20), None, timedelta(seconds=20), None):
        patience.wait(Transient("it failed", wait))
    assert clock.waits == [20, 1, 20, 2]
    assert patience.left == timedelta(seconds=77)
