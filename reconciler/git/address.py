"""Where a repository is: which addresses we let git at, and how to show one without its credentials."""

import re
from urllib.parse import unquote, urlsplit

# As GIT_ALLOW_PROTOCOL takes them. Not ext, which runs commands; not git and http, which others can alter.
PROTOCOLS = "file:https:ssh"

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USER_INFO = re.compile(r"(?<=://)[^\s/@]*(?::[^\s/@]*)?@")
_QUERY = re.compile(r"(?<=\w)\?\S+")
# What git-check-ref-format(1) refuses, and the characters that would make a refspec of it.
_NO_BRANCH = re.compile(r"^[-/.]|[/.]$|\.lock(/|$)|\.\.|//|/\.|@\{|[\x00-\x20\x7f~^:?*\[\\]|^@?$")


def url_error(url: str) -> str | None:
    """Why git must not be given this address, None if it may."""
    if not url or url.startswith("-") or any(not c.isprintable() for c in url):
        return f"{display(url)!r} is no address of a repository"
    if "::" in url.split("://", maxsplit=1)[0].split("[", maxsplit=1)[0]:
        return f"{display(url)!r} names a helper program, which is not run: use https, ssh or a path"
    scheme = _SCHEME.match(url)
    if not scheme or scheme[1].lower() in PROTOCOLS.split(":"):
        return None  # a path, or user@host:path, which is ssh
    if is_loopback_http(url):
        return None
    by = scheme[1]
    return f"{display(url)!r} is reached by {by}, which does not protect what it carries: use https or ssh"


def branch_error(branch: str) -> str | None:
    """Why git would not take this for one branch, None if it does."""
    return f"{branch!r} is not the name of a branch" if _NO_BRANCH.search(branch) else None


def is_loopback_http(url: str) -> bool:
    """Plain http that never leaves this machine: a local forge, or a proxy that adds what is missing."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        return False


def display(url: str) -> str:
    """The address for people: without user, password, token and query.

    >>> display("https://me:secret@example.com/r.git?key=1"), display("git@example.com:r.git")
    ('https://example.com/r.git', 'git@example.com:r.git')
    """
    return _QUERY.sub("", _USER_INFO.sub("", url))


def scrub(text: str, url: str) -> str:
    """A message of git's without the credentials of this address, in whichever spelling it repeats them."""
    text = _USER_INFO.sub("", text)
    for secret in _secrets(url):
        text = text.replace(secret, "***")
    return text


def _secrets(url: str) -> tuple[str, ...]:
    """What must never be printed, the longest first. A lone user name may be a token, unless it is ssh's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    if parts.scheme in ("", "ssh", "file"):
        found = [parts.password, parts.query]
    else:
        found = [parts.username, parts.password, parts.query]
    spelt = {form for each in found if each for form in (each, unquote(each)) if len(form) > 3}
    return tuple(sorted(spelt, key=len, reverse=True))
