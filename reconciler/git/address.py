"""Repository URLs: which URLs git may use, and how to separate a URL from its credentials.

A URL that might contain credentials is never printed as it was given. If a URL is ambiguous, everything from
the scheme to the last `@` counts as a credential.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

# In the format of GIT_ALLOW_PROTOCOL. Three protocols are left out: ext, because it runs commands, and git
# and http, because others can alter what they transfer.
PROTOCOLS = "file:https:ssh"

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WORD = re.compile(r"\S+")
# A file URL has no credentials if a path follows the scheme.
_BEFORE_USER_INFO = re.compile("(?<=://)(?<!file://(?=/))")
_QUERY = re.compile(r"(?<=\w)\?\S+")
_UNPARSABLE = (
    "the repository URL cannot be parsed and is not shown, because it may contain credentials: "
    "write it like https://HOST/PATH, and special characters in a password as %XX"
)


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL. `bare` is safe to print, and to pass to git as an argument.

    `bare` omits the user of an https URL, but keeps the user of an ssh URL, which is not a secret. `password`
    is None if the URL has none.
    """

    bare: str
    user: str = field(default="", repr=False)
    password: str | None = field(default=None, repr=False)


def parse(url: str) -> Address:
    """The parts of a URL.

    Raises ValueError if git must not use the URL. The message contains no credentials.
    """
    if error := url_error(url):
        raise ValueError(error)
    scheme = _SCHEME.match(url)
    if not scheme or scheme[1].lower() == "file":
        return Address(url)
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user, password = unquote(parts.username or ""), parts.password
    if scheme[1].lower() == "ssh" and parts.username:
        host = f"{parts.username}@{host}"
    bare = parts._replace(netloc=host).geturl()
    return Address(bare, user, None if password is None else unquote(password))


def url_error(url: str) -> str | None:
    """The error if git must not use this URL, otherwise None. The error contains no credentials."""
    may_hide_a_secret = "@" in url or "?" in url
    if not url or url.startswith("-") or any(not c.isprintable() for c in url):
        return _UNPARSABLE if may_hide_a_secret else f"{url!r} is not a repository URL or path"
    if "::" in url.split("://", maxsplit=1)[0].split("[", maxsplit=1)[0]:
        if may_hide_a_secret:
            return _UNPARSABLE
        return f"{url!r} names a remote helper, which is not allowed: use https, ssh or a path"
    scheme = _SCHEME.match(url)
    if not scheme:
        return _UNPARSABLE if _hides_a_password(url) else None  # a path, or user@host:path, which is ssh
    if scheme[1].lower() == "file":
        is_path = url.startswith("/", scheme.end())
        return None if is_path or "@" not in url else _UNPARSABLE
    if not _is_clear(url):
        return _UNPARSABLE
    if scheme[1].lower() in PROTOCOLS.split(":") or is_loopback_http(url):
        return None
    return f"{display(url)!r} uses the protocol {scheme[1]}, which is not secure: use https or ssh"


def is_loopback_http(url: str) -> bool:
    """Whether the URL is plain http to this machine, where a forge or a proxy may listen.

    A proxy can add TLS or credentials.
    """
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        return False


def display(url: str) -> str:
    """The URL as messages show it: without a user, a password, a token or a query.

    >>> display("https://me:secret@example.com/r.git?key=1"), display("git@example.com:r.git")
    ('https://example.com/r.git', 'git@example.com:r.git')
    """
    if not _SCHEME.match(url) and _hides_a_password(url):
        url = url.rpartition("@")[2]
    return _QUERY.sub("", _without_user_info(url))


def scrub(text: str, secrets: tuple[str, ...] = ()) -> str:
    """A message from git, without the credentials in its URLs, and without these `secrets`.

    `secrets` contains each secret in every encoding that a message might use.
    """
    text = _without_user_info(text)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _without_user_info(text: str) -> str:
    """The text without the part between the scheme and the last `@` of each URL. Takes linear time."""

    def bare(word: re.Match[str]) -> str:
        begin, end = _BEFORE_USER_INFO.search(word[0]), word[0].rfind("@")
        if not begin or end < begin.start():
            return word[0]
        return word[0][: begin.start()] + word[0][end + 1 :]

    return _WORD.sub(bare, text) if "@" in text else text


def secrets(url: str) -> tuple[str, ...]:
    """The secrets in the URL, each as written and as decoded.

    A user name might be a token, so it counts as a secret unless the scheme is ssh.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    if parts.scheme in ("", "ssh", "file"):
        found = [parts.password, parts.query]
    else:
        found = [parts.username, parts.password, parts.query]
    return tuple({form for each in found if each for form in (each, unquote(each)) if len(form) > 3})


def _is_clear(url: str) -> bool:
    """Whether the URL is unambiguous.

    An unambiguous URL has a host and, if it names a port, a valid port. It contains no space, no query, no
    fragment, and no `@` after the host.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
        rest = parts.path + parts.query + parts.fragment
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return False
    is_plain = " " not in url and "@" not in rest and not parts.query and not parts.fragment
    return bool(parts.hostname) and not host.startswith("-") and is_plain


def _hides_a_password(path: str) -> bool:
    """Whether this path, or this user@host:path, might really be user:password@host."""
    user, colon, _ = path.rpartition("@")[0].partition(":")
    return bool(colon) and "/" not in user
