"""Which URLs, branches and paths git may use, and how a URL is shown."""

from pathlib import Path

import pytest

from reconciler.git import address
from reconciler.git.repository import Repository

HELPER = "names a remote helper, which is not allowed: use https, ssh or a path"
OPEN = "which is not secure: use https or ssh"

REFUSED = [
    pytest.param(
        "-oProxyCommand=x",
        "main",
        "",
        "'-oProxyCommand=x' is not a repository URL or path",
        id="a URL that begins with a dash",
    ),
    pytest.param("", "main", "", "'' is not a repository URL or path", id="an empty URL"),
    pytest.param("ext::sh -c x", "main", "", f"'ext::sh -c x' {HELPER}", id="a helper that runs commands"),
    pytest.param("fd::7", "main", "", f"'fd::7' {HELPER}", id="a helper that reads descriptors"),
    pytest.param(
        "git://h/r", "main", "", f"'git://h/r' uses the protocol git, {OPEN}", id="git's own protocol"
    ),
    pytest.param(
        "http://a:b@h/r",
        "main",
        "",
        f"'http://h/r' uses the protocol http, {OPEN}",
        id="plain http with credentials",
    ),
    pytest.param("https://h/r", "-x", "", "'-x' is not a valid branch name", id="a branch with a dash"),
    pytest.param("https://h/r", "", "", "'' is not a valid branch name", id="an empty branch"),
    pytest.param(
        "https://h/r", "a:b", "", "'a:b' is not a valid branch name", id="a branch that is a refspec"
    ),
    pytest.param("https://h/r", "a*", "", "'a*' is not a valid branch name", id="a branch that is a pattern"),
    pytest.param(
        "https://h/r", "a..b", "", "'a..b' is not a valid branch name", id="a branch that is a range"
    ),
    pytest.param(
        "https://h/r", "a.lock", "", "'a.lock' is not a valid branch name", id="a branch like a lock"
    ),
    pytest.param("https://h/r", "a b", "", "'a b' is not a valid branch name", id="a branch with a space"),
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
def test_an_invalid_or_unsafe_source_is_rejected(url: str, branch: str, path: str, message: str) -> None:
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
def test_common_urls_and_branches_are_accepted(url: str, branch: str) -> None:
    Repository(url, branch, "specs", Path("clone"))


@pytest.mark.parametrize(
    "text",
    [
        "unable to access 'https://me:p%40ss@h/r.git/': no",
        "unable to access 'https://h/r.git/': p@ss was refused",
        "remote: the token p%40ss has expired",
    ],
)
def test_credentials_are_removed_from_a_message_in_every_encoding(text: str) -> None:
    scrubbed = address.scrub(text, "https://me:p%40ss@h/r.git")
    assert "p%40ss" not in scrubbed
    assert "p@ss" not in scrubbed


def test_a_token_as_the_user_name_is_removed() -> None:
    assert address.scrub("bad ghp_abc", "https://ghp_abc@h/r.git") == "bad ***"
