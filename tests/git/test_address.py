"""Which URLs, branches and paths git may use, and how a URL is shown."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.git import address, credentials, revision
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
        Repository(url, revision.branch(branch), path, Path("clone"))
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
    Repository(url, revision.branch(branch), "specs", Path("clone"))


@pytest.mark.parametrize(
    "text",
    [
        "unable to access 'https://me:p%40ss@h/r.git/': no",
        "unable to access 'https://h/r.git/': p@ss was refused",
        "remote: the token p%40ss has expired",
    ],
)
def test_credentials_are_removed_from_a_message_in_every_encoding(text: str) -> None:
    scrubbed = address.scrub(text, address.secrets("https://me:p%40ss@h/r.git"))
    assert "p%40ss" not in scrubbed
    assert "p@ss" not in scrubbed


UNPARSABLE = (
    "the repository URL cannot be parsed and is not shown, because it may contain credentials: "
    "write it like https://HOST/PATH, and special characters in a password as %XX"
)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://ada:s3cr3t/x@h/r.git", id="a slash in a password"),
        pytest.param("https://s3cr3t/@h/r.git", id="a slash in a token"),
        pytest.param("https://ada:s3cr3t#x@h/r.git", id="a hash sign in a password"),
        pytest.param("https://ada:s3cr3t?x@h/r.git", id="a question mark in a password"),
        pytest.param("https://ada:s3cr3t x@h/r.git", id="a space in a password"),
        pytest.param("https://ada:s3cr3t[x@h/r.git", id="a bracket in a password"),
        pytest.param("https://h/r.git?token=s3cr3t", id="a token in a query"),
        pytest.param("https://ada@h:s3cr3t", id="a password as a port"),
        pytest.param("https://", id="no host"),
        pytest.param("https:///s3cr3t@h/r.git", id="a path before the host"),
        pytest.param("ssh://ada@-oProxyCommand=x/r.git", id="a host that is an option"),
        pytest.param("ada:s3cr3t@h:r.git", id="a password without a scheme"),
        pytest.param("file://ada:s3cr3t@h/r.git", id="a password before the host of a file"),
        pytest.param("FILE://s3cr3t@h/r.git", id="a token before the host of a file"),
        pytest.param("file://ada:s/3cr3t@h/r.git", id="a slash in a password before the host of a file"),
    ],
)
def test_a_url_that_is_ambiguous_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared whole
        address.parse(url)
    assert str(raised.value) == UNPARSABLE


@pytest.mark.parametrize(
    "url, bare, user, password",
    [
        pytest.param("https://ada:p%40ss@h:8/r.git", "https://h:8/r.git", "ada", "p@ss", id="https"),
        pytest.param("https://org@h/r.git", "https://h/r.git", "org", None, id="a user alone"),
        pytest.param("https://ada:@h/r.git", "https://h/r.git", "ada", "", id="an empty password"),
        pytest.param("ssh://git:pw@h:22/r.git", "ssh://git@h:22/r.git", "git", "pw", id="ssh"),
        pytest.param("git@h:r.git", "git@h:r.git", "", None, id="ssh without a scheme"),
        pytest.param("file:///srv/a@b/r.git", "file:///srv/a@b/r.git", "", None, id="a file"),
        pytest.param("/srv/a:b@c/r.git", "/srv/a:b@c/r.git", "", None, id="a path"),
        pytest.param("https://[::1]:8/r.git", "https://[::1]:8/r.git", "", None, id="IPv6"),
    ],
)
def test_a_url_is_taken_apart(url: str, bare: str, user: str, password: str | None) -> None:
    found = address.parse(url)
    assert (found.bare, found.user, found.password) == (bare, user, password)


@given(
    user=st.text(st.characters(codec="ascii", exclude_characters="\0/"), max_size=12),
    noise=st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=8),
    form=st.sampled_from(
        [
            "https://{user}:{secret}@forge.example.com/r.git",
            "https://{secret}@forge.example.com/r.git",
            "https://{secret}:@forge.example.com/r.git",
            "ssh://{user}:{secret}@forge.example.com/r.git",
            "git://{user}:{secret}@forge.example.com/r.git",
            "{user}:{secret}@forge.example.com:r.git",
            "https://forge.example.com/r.git?token={secret}",
        ]
    ),
)
def test_no_secret_of_a_url_is_shown_or_becomes_an_argument(user: str, noise: str, form: str) -> None:
    """The secret contains whatever characters come, at its begin, end and middle."""
    secret = f"{noise}hush{noise}7ush{noise}"
    url = form.format(user=user, secret=secret)
    try:
        repository = Repository(url, revision.branch("main"), "", Path("clone"))
    except ValueError as error:
        shown = str(error)
    else:
        parsed = address.parse(url)
        access = credentials.of_url(parsed)
        shown = " ".join((repr(repository), str(repository), repr(parsed), parsed.bare, repr(access)))
        sent = parsed.password or parsed.user or "nothing"
        told = f"fatal: {sent} of 'https://{quote(sent, safe='')}@h/r' and {url} was refused"
        shown += address.scrub(told, (*access.secrets, *address.secrets(url)))
    assert "hush" not in shown
    assert "7ush" not in shown


def test_a_token_as_the_user_name_is_removed() -> None:
    assert address.scrub("bad ghp_abc", address.secrets("https://ghp_abc@h/r.git")) == "bad ***"


def test_every_address_of_a_message_loses_its_credentials() -> None:
    text = "https://a:b@h/r and file:///srv/a@b and (ssh://git:x@y@h/r) and https://h/r"
    assert address.scrub(text) == "https://h/r and file:///srv/a@b and (ssh://h/r) and https://h/r"
