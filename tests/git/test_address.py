"""Which addresses, branches and paths are let at git, and how an address is shown."""

from pathlib import Path

import pytest

from reconciler.git import address
from reconciler.git.repository import Repository

HELPER = "names a helper program, which is not run: use https, ssh or a path"
OPEN = "which does not protect what it carries: use https or ssh"

REFUSED = [
    pytest.param(
        "-oProxyCommand=x", "main", "", "'-oProxyCommand=x' is no address of a repository", id="a dash"
    ),
    pytest.param("", "main", "", "'' is no address of a repository", id="an empty address"),
    pytest.param("ext::sh -c x", "main", "", f"'ext::sh -c x' {HELPER}", id="a helper that runs commands"),
    pytest.param("fd::7", "main", "", f"'fd::7' {HELPER}", id="a helper that reads descriptors"),
    pytest.param("git://h/r", "main", "", f"'git://h/r' is reached by git, {OPEN}", id="git's own protocol"),
    pytest.param("http://a:b@h/r", "main", "", f"'http://h/r' is reached by http, {OPEN}", id="http"),
    pytest.param("https://h/r", "-x", "", "'-x' is not the name of a branch", id="a branch with a dash"),
    pytest.param("https://h/r", "", "", "'' is not the name of a branch", id="no branch"),
    pytest.param(
        "https://h/r", "a:b", "", "'a:b' is not the name of a branch", id="a branch that is a refspec"
    ),
    pytest.param(
        "https://h/r", "a*", "", "'a*' is not the name of a branch", id="a branch that is a pattern"
    ),
    pytest.param(
        "https://h/r", "a..b", "", "'a..b' is not the name of a branch", id="a branch that is a range"
    ),
    pytest.param(
        "https://h/r", "a.lock", "", "'a.lock' is not the name of a branch", id="a branch like a lock"
    ),
    pytest.param("https://h/r", "a b", "", "'a b' is not the name of a branch", id="a branch with a space"),
    pytest.param(
        "https://h/r",
        "a",
        "../b",
        "'../b' is not a path inside the repository",
        id="a path outside the repository",
    ),
    pytest.param("https://h/r", "a", "/b", "'/b' is not a path inside the repository", id="an absolute path"),
]


@pytest.mark.parametrize("url, branch, path, message", REFUSED)
def test_invalid_settings_are_rejected_immediately(url: str, branch: str, path: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared whole
        Repository(url, branch, path, Path("clone"))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "url, branch",
    [
        ("https://dev.azure.com/org/project/_git/repo", "main"),
        ("git@ssh.dev.azure.com:v3/org/project/repo", "users/ada/fix-1"),
        ("ssh://git@[::1]:22/r.git", "release-1.0"),
        ("file:///srv/r.git", "ä"),
        ("/srv/r.git", "main"),
        ("../r.git", "main"),
        ("http://localhost:3000/r.git", "main"),
    ],
)
def test_usual_addresses_are_accepted(url: str, branch: str) -> None:
    Repository(url, branch, "specs", Path("clone"))


@pytest.mark.parametrize(
    "text",
    [
        "unable to access 'https://me:p%40ss@h/r.git/': no",
        "unable to access 'https://h/r.git/': p@ss was refused",
        "remote: the token p%40ss has expired",
    ],
)
def test_a_message_loses_the_credentials_in_every_spelling(text: str) -> None:
    told = address.scrub(text, "https://me:p%40ss@h/r.git")
    assert "p%40ss" not in told
    assert "p@ss" not in told


def test_a_token_that_stands_for_the_user_is_scrubbed_too() -> None:
    assert address.scrub("bad ghp_abc", "https://ghp_abc@h/r.git") == "bad ***"
