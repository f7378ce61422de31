"""Where the comment goes: by the variables of each CI, by options, and what is said if either is missing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.forge.environment import Given, PlaceUnknown, locate
from tests.forge.server import GitHub, GitLab, serve
from tests.forge.test_comment import body
from tests.forge.typed import comment, job

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_REPOSITORY": "acme/fleet",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_TOKEN": "token",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_API_V4_URL": "https://gitlab.com/api/v4",
    "CI_PROJECT_ID": "6",
    "CI_MERGE_REQUEST_PROJECT_ID": "5",
    "CI_MERGE_REQUEST_IID": "7",
    "GITLAB_TOKEN": "token",
}
AZURE = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_TEAMPROJECT": "The Fleet",
    "BUILD_REPOSITORY_ID": "2f3d",
    "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
    "SYSTEM_ACCESSTOKEN": "token",
}


def without(variables: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


@pytest.mark.parametrize(
    "variables, event, expected",
    [
        pytest.param(
            GITHUB, None, ("https://api.github.com", "acme/fleet", 7), id="GitHub Actions, by its ref"
        ),
        pytest.param(
            {**GITHUB, "GITHUB_REF": "refs/heads/main"},
            {"pull_request": {"number": 8}},
            ("https://api.github.com", "acme/fleet", 8),
            id="GitHub Actions, by its event",
        ),
        pytest.param(
            {**GITHUB, "GITHUB_REF": "refs/heads/main"},
            {"issue": {"number": 9, "pull_request": {"url": "..."}}},
            ("https://api.github.com", "acme/fleet", 9),
            id="GitHub Actions, by a comment on a pull request",
        ),
        pytest.param(GITLAB, None, ("https://gitlab.com/api/v4", "5", 7), id="GitLab CI, also in a fork"),
        pytest.param(
            without(GITLAB, "CI_MERGE_REQUEST_PROJECT_ID"),
            None,
            ("https://gitlab.com/api/v4", "6", 7),
            id="GitLab CI, without the project of the merge request",
        ),
        pytest.param(AZURE, None, ("https://dev.azure.com/acme", "The Fleet/2f3d", 7), id="Azure Pipelines"),
    ],
)
def test_the_place_by_the_variables_of_a_ci(
    variables: Mapping[str, str], event: Any, expected: tuple[str, str, int]
) -> None:
    at = locate(Given(), variables, event).at
    assert (at.api, at.repository, at.number) == expected


@pytest.mark.parametrize(
    "variables, expected",
    [
        pytest.param(
            {},
            [
                "no forge: GITHUB_ACTIONS, GITLAB_CI and TF_BUILD are not set, so this job runs in none of their CIs; pass --forge github, --forge gitlab or --forge azure-devops"
            ],
            id="no CI",
        ),
        pytest.param(
            {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"},
            [
                "no API URL: GITHUB_API_URL is not set; GitHub Actions sets it, or pass --api-url",
                "no repository: GITHUB_REPOSITORY is not set; GitHub Actions sets it, or pass --repository",
                "no pull request: the event has none; run the workflow on `pull_request`, or pass --pull-request",
                "no token: GITHUB_TOKEN is not set; set it in the `env` of the step to ${{ github.token }}, or pass --token-file",
            ],
            id="GitHub Actions without anything",
        ),
        pytest.param(
            {**GITHUB, "GITHUB_TOKEN": ""},
            [
                "no token: GITHUB_TOKEN is not set; set it in the `env` of the step to ${{ github.token }}, or pass --token-file"
            ],
            id="GitHub Actions with an empty token",
        ),
        pytest.param(
            {"GITLAB_CI": "true", "CI_JOB_TOKEN": "job", "GITLAB_TOKEN": "$GITLAB_TOKEN"},
            [
                "no API URL: CI_API_V4_URL is not set; GitLab CI sets it, or pass --api-url",
                "no repository: CI_MERGE_REQUEST_PROJECT_ID and CI_PROJECT_ID are not set; GitLab CI sets them, or pass --repository",
                "no pull request: CI_MERGE_REQUEST_IID is not set; run the job in merge request pipelines, or pass --pull-request",
                "no token: GITLAB_TOKEN is not set; set it as a CI/CD variable to a project access token with the scope api (CI_JOB_TOKEN cannot write comments; a protected variable does not reach unprotected branches), or pass --token-file",
            ],
            id="GitLab CI with nothing but the token of the job",
        ),
        pytest.param(
            {
                "TF_BUILD": "True",
                "BUILD_REPOSITORY_ID": "2f3d",
                "SYSTEM_ACCESSTOKEN": "$(System.AccessToken)",
            },
            [
                "no API URL: SYSTEM_COLLECTIONURI is not set; Azure Pipelines sets it, or pass --api-url",
                "no repository: SYSTEM_TEAMPROJECT is not set; Azure Pipelines sets them, or pass --repository",
                "no pull request: SYSTEM_PULLREQUEST_PULLREQUESTID is not set; run the pipeline by a build validation policy, or pass --pull-request",
                "no token: SYSTEM_ACCESSTOKEN is not set; map it in the `env` of the step to $(System.AccessToken), or pass --token-file",
            ],
            id="Azure Pipelines with little",
        ),
        pytest.param(
            {**AZURE, "BUILD_REPOSITORY_PROVIDER": "GitHub"},
            [
                "the pipeline builds a repository at GitHub, and Azure Pipelines sets no variables for its API; pass --forge github, --forge gitlab or --forge azure-devops, --api-url, --repository, --pull-request and --token-file"
            ],
            id="Azure Pipelines for a repository of another forge",
        ),
        pytest.param(
            {**GITHUB, "GITHUB_API_URL": "http://github.example.com/api/v3"},
            [
                "the API URL http://github.example.com/api/v3 is not secure, and the token is sent to it; use https"
            ],
            id="an API without encryption",
        ),
        pytest.param(
            {**GITHUB, "GITHUB_API_URL": "https://me:secret@github.example.com"},
            ["the API URL is not a URL such as https://api.github.com; correct it, or pass --api-url"],
            id="a password in the URL is not shown",
        ),
        pytest.param(
            {**GITHUB, "GITHUB_API_URL": "https://github.example.com:port"},
            ["the API URL cannot be parsed; correct it, or pass --api-url"],
            id="an invalid port in the URL",
        ),
        pytest.param(
            {**GITHUB, "GITHUB_REPOSITORY": "fleet", "GITHUB_TOKEN": "two words"},
            [
                "the repository 'fleet' is not of the form OWNER/NAME; correct it, or pass --repository",
                "the token is not one line of printable characters; correct it, or pass --token-file",
            ],
            id="a repository without owner, and a token that cannot be one",
        ),
        pytest.param(
            {**AZURE, "SYSTEM_PULLREQUEST_PULLREQUESTID": "$(System.PullRequest.PullRequestId)"},
            [
                "no pull request: SYSTEM_PULLREQUEST_PULLREQUESTID is not set; run the pipeline by a build validation policy, or pass --pull-request"
            ],
            id="a reference that Azure Pipelines has left as it was",
        ),
    ],
)
def test_what_is_missing_is_named_with_where_it_comes_from(
    variables: Mapping[str, str], expected: list[str]
) -> None:
    with pytest.raises(PlaceUnknown) as unknown:
        locate(Given(), variables)
    assert str(unknown.value).splitlines() == expected


def test_everything_missing_is_a_usage_error_of_the_command() -> None:
    done = CliRunner(env=job({"GITLAB_CI": "true"})).invoke(main, ["comment"], input="the plan")
    assert (done.exit_code, done.stdout) == (2, "")
    assert [line.split(":")[:2] for line in done.stderr.splitlines()[-4:]] == [
        ["error", " no API URL"],
        ["error", " no repository"],
        ["error", " no pull request"],
        ["error", " no token"],
    ]


def test_options_take_precedence_and_need_no_ci(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{GitLab.token}\n")
    with serve(GitLab) as gitlab, serve(GitHub) as github:
        options = ["--forge", "gitlab", "--api-url", f"{gitlab.url}/api/v4/", "--repository", "5"]
        options += ["--pull-request", "7", "--token-file", str(tmp_path / "token")]
        done = comment(github, "the plan", *options)
        assert (done.exit_code, done.stderr, gitlab.texts()) == (0, "", [body("the plan")])
        assert github.requests == []
        assert comment(gitlab, "the plan", *options, unset=gitlab.variables).exit_code == 0


def test_a_project_of_gitlab_may_be_named_by_its_path() -> None:
    with serve(GitLab) as gitlab:
        comment(gitlab, "the plan", "--repository", "group/sub/project")
        assert gitlab.requests[0].path.startswith("/api/v4/projects/group%2Fsub%2Fproject/merge_requests/7/")


def test_an_enterprise_server_is_asked_for_the_account_at_its_own_path() -> None:
    with serve(GitHub) as github:
        at = locate(Given(), {**GITHUB, "GITHUB_API_URL": f"{github.url}/api/v3"})
        assert at.forge.ask_identity(at.at).url == f"{github.url}/api/graphql"


def test_the_number_is_read_from_the_file_of_the_event(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    with serve(GitHub) as github:
        done = comment(github, GITHUB_REF="refs/heads/main", GITHUB_EVENT_PATH=str(event))
        assert (done.exit_code, github.texts()) == (0, [body("the plan")])


@pytest.mark.parametrize(
    "written", ["", "[", "[]", '{"pull_request": []}', '{"pull_request": {"number": "x"}}']
)
def test_an_event_that_says_nothing_leaves_the_ref(written: str, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(written)
    with serve(GitHub) as github:
        assert comment(github, GITHUB_EVENT_PATH=str(event)).exit_code == 0


@pytest.mark.parametrize(
    "text, said",
    [
        pytest.param(" \n", "standard input is empty, so nothing was written; check whether", id="no text"),
        pytest.param("\ufeff\n", "standard input is empty", id="nothing but a byte order mark"),
        pytest.param(
            b"caf\xe9",
            "standard input is not UTF-8 at byte 3; write the text in UTF-8",
            id="another encoding",
        ),
    ],
)
def test_a_text_that_cannot_be_a_comment_is_refused(text: str | bytes, said: str) -> None:
    done = CliRunner(env=job(GITHUB)).invoke(main, ["comment"], input=text)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {said}")


def test_the_text_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("the plan ●\n")
    with serve(GitHub) as github:
        assert comment(github, "", str(tmp_path / "plan.md")).exit_code == 0
        assert comment(github, "the plan ●", "-").stdout.startswith("comment unchanged: ")
        assert github.texts() == [body("the plan ●")]


@pytest.mark.parametrize(
    "content, said",
    [
        pytest.param(None, "cannot be read: no such file or directory", id="a missing file"),
        pytest.param("\n", "is empty", id="an empty file"),
    ],
)
def test_a_token_file_without_a_token_is_reported(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    done = CliRunner(env=job(GITHUB)).invoke(main, ["comment", "--token-file", str(path)], input="the plan")
    assert (done.exit_code, done.stderr) == (1, f"error: the token file {path} {said}\n")
