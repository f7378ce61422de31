"""Where a CI job runs: forge, repository, pull request and token, from the variables that the CI sets.

Pure: the caller passes the variables, and the event of a GitHub workflow.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from reconciler.forge.forge import Forge, PullRequest
from reconciler.forge.forges import FORGES
from reconciler.spec.wording import one_of, shorten

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME = re.compile(r"\{([A-Z0-9_]+)\}")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_REF = re.compile(r"refs/pull/([0-9]+)/")  # of GitHub


class PlaceUnknown(Exception):
    """The place for the comment is not known. `str()` has one line for each missing or invalid fact."""


@dataclass(frozen=True, slots=True)
class Given:
    """The values of the command-line options. An option that was not given is None.

    Options take precedence over variables.
    """

    forge: str | None = None
    api_url: str | None = None
    repository: str | None = None
    pull_request: str | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the comment goes, and the token to write it with."""

    forge: Forge
    at: PullRequest
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about the place, and where its value comes from.

    templates: strings with placeholders for environment variables. The value is the first string whose
        variables are all set.
    fix: what to do if no template applies, as an alternative to setting the option.
    pattern: what a value must look like. `form` describes the pattern in words.
    """

    name: str
    option: str
    templates: tuple[str, ...]
    fix: str
    pattern: re.Pattern[str]
    form: str

    def value(self, variables: Mapping[str, str]) -> str | None:
        """The value from the variables, or None if no template applies."""
        for template in self.templates:
            values = {name: _value(variables, name) for name in _NAME.findall(template)}
            if all(values.values()):
                return template.format_map(values)
        return None

    def missing(self, variables: Mapping[str, str]) -> str:
        """The error for a fact that neither the variables nor an option supplies."""
        names = [name for template in self.templates for name in _NAME.findall(template)]
        unset = [name for name in names if not _value(variables, name)]
        why = (
            f"{one_of(unset, last='and')} {'is' if len(unset) == 1 else 'are'} not set"
            if unset
            else "the event has none"
        )
        return f"no {self.name}: {why}; {self.fix}, or pass {self.option}"

    def error(self, value: str) -> str | None:
        """The error if the value does not match the pattern, otherwise None.

        The error contains no token, and no URL that might contain a token.
        """
        if self.pattern.fullmatch(value):
            return None
        shown = (
            "" if self.option == "--token-file" or "@" in value or "?" in value else f" {shorten(value)!r}"
        )
        return f"the {self.name}{shown} is not {self.form}; correct it, or pass {self.option}"


@dataclass(frozen=True, slots=True)
class Ci:
    """A CI system: its name, the variable that it always sets (`mark`), and the source of each fact."""

    name: str
    mark: str
    api: Fact
    repository: Fact
    number: Fact
    token: Fact


_URL = re.compile(r"https?://[^\s@?#]+")
_TOKEN = re.compile(r"[!-~]+")


def _api(template: str, example: str, ci: str) -> Fact:
    return Fact("API URL", "--api-url", (template,), f"{ci} sets it", _URL, f"a URL such as {example}")


def _number(fix: str, *templates: str) -> Fact:
    return Fact("pull request", "--pull-request", templates, fix, _NUMBER, "a number such as 7")


def _token(template: str, fix: str) -> Fact:
    return Fact("token", "--token-file", (template,), fix, _TOKEN, "one line of printable characters")


CIS: Mapping[str, Ci] = {
    "github": Ci(
        "GitHub Actions",
        "GITHUB_ACTIONS",
        _api("{GITHUB_API_URL}", "https://api.github.com", "GitHub Actions"),
        Fact(
            "repository",
            "--repository",
            ("{GITHUB_REPOSITORY}",),
            "GitHub Actions sets it",
            re.compile(r"[\w.-]+/[\w.-]+"),
            "of the form OWNER/NAME",
        ),
        _number("run the workflow on `pull_request`"),
        _token("{GITHUB_TOKEN}", "set it in the `env` of the step to ${{ github.token }}"),
    ),
    "gitlab": Ci(
        "GitLab CI",
        "GITLAB_CI",
        _api("{CI_API_V4_URL}", "https://gitlab.com/api/v4", "GitLab CI"),
        Fact(
            "repository",
            "--repository",
            # The first is the project with the merge request. The second can be a fork of that project.
            ("{CI_MERGE_REQUEST_PROJECT_ID}", "{CI_PROJECT_ID}"),
            "GitLab CI sets them",
            re.compile(r"[0-9]+|[\w.-]+(?:/[\w.-]+)+"),
            "a number, or of the form GROUP/PROJECT",
        ),
        _number("run the job in merge request pipelines", "{CI_MERGE_REQUEST_IID}"),
        _token(
            "{GITLAB_TOKEN}",
            "set it as a CI/CD variable to a project access token with the scope api (CI_JOB_TOKEN cannot "
            "write comments; a protected variable does not reach unprotected branches)",
        ),
    ),
    "azure-devops": Ci(
        "Azure Pipelines",
        "TF_BUILD",
        _api("{SYSTEM_COLLECTIONURI}", "https://dev.azure.com/ORGANIZATION", "Azure Pipelines"),
        Fact(
            "repository",
            "--repository",
            ("{SYSTEM_TEAMPROJECT}/{BUILD_REPOSITORY_ID}",),
            "Azure Pipelines sets them",
            re.compile(r"[^/]+/[^/]+"),
            "of the form PROJECT/REPOSITORY",
        ),
        _number("run the pipeline by a build validation policy", "{SYSTEM_PULLREQUEST_PULLREQUESTID}"),
        _token("{SYSTEM_ACCESSTOKEN}", "map it in the `env` of the step to $(System.AccessToken)"),
    ),
}


def locate(given: Given, variables: Mapping[str, str], event: Any = None) -> Place:
    """The place for the comment. `event` is the event of a GitHub workflow, as JSON.

    Raises PlaceUnknown if any fact is missing or invalid, or if the token would be sent without encryption.
    """
    name = given.forge or _forge(variables)
    ci = CIS[name]
    of_ci = _of_event(event, variables) if name == "github" else ci.number.value(variables)
    found = {
        ci.api: given.api_url or ci.api.value(variables),
        ci.repository: given.repository or ci.repository.value(variables),
        ci.number: given.pull_request or of_ci,
        ci.token: given.token or ci.token.value(variables),
    }
    errors = [
        fact.missing(variables) if value is None else fact.error(value) for fact, value in found.items()
    ]
    api, repository, number, token = (value or "" for value in found.values())
    if wrong := [each for each in (*errors, _insecure(api) if api else None) if each]:
        raise PlaceUnknown("\n".join(wrong))
    return Place(FORGES[name], PullRequest(api.rstrip("/"), repository, int(number)), token)


def _forge(variables: Mapping[str, str]) -> str:
    """The forge whose CI runs this program.

    Raises PlaceUnknown if there is none, or if Azure Pipelines builds a repository on another forge.
    """
    found = [name for name, ci in CIS.items() if _value(variables, ci.mark)]
    options = one_of([f"--forge {name}" for name in CIS])
    if not found:
        marks = one_of([ci.mark for ci in CIS.values()], last="and")
        raise PlaceUnknown(
            f"no forge: {marks} are not set, so this job runs in none of their CIs; pass {options}"
        )
    provider = variables.get("BUILD_REPOSITORY_PROVIDER", "")
    if found == ["azure-devops"] and provider not in {"", "TfsGit"}:
        raise PlaceUnknown(
            f"the pipeline builds a repository at {shorten(provider)}, and Azure Pipelines sets no variables "
            f"for its API; pass {options}, --api-url, --repository, --pull-request and --token-file"
        )
    return found[0]


def _of_event(event: Any, variables: Mapping[str, str]) -> str | None:
    """The pull request number of a GitHub workflow, from the event or else from the ref, or None."""
    event = event if isinstance(event, Mapping) else {}
    issue, found = event.get("issue"), event.get("pull_request")
    if isinstance(issue, Mapping) and issue.get("pull_request"):  # a comment on a pull request
        found = issue
    if isinstance(found, Mapping) and isinstance(found.get("number"), int):
        return str(found["number"])
    match = _REF.match(variables.get("GITHUB_REF", ""))
    return match[1] if match else None


def _value(variables: Mapping[str, str], name: str) -> str:
    """The value of a variable, or "" if it is not set.

    GitLab CI and Azure Pipelines do not expand a reference to an undefined variable. A value that is still
    such a reference counts as not set.
    """
    value = variables.get(name, "").strip()
    return "" if value in {f"${name}", f"${{{name}}}"} or value.startswith("$(") else value


def _insecure(api: str) -> str | None:
    """The error if no token may be sent to this URL, otherwise None."""
    try:
        parts = urlsplit(api)
        is_secure = parts.scheme == "https" or parts.hostname in _LOOPBACK
        _ = parts.port
    except ValueError:
        return "the API URL cannot be parsed; correct it, or pass --api-url"
    if is_secure or not _URL.fullmatch(api):  # another error reports a URL of the wrong form
        return None
    return f"the API URL {shorten(api)} is not secure, and the token is sent to it; use https"
