"""Repository URLs: which ones git may use, and how to show a URL without its credentials."""

import re
from urllib.parse import unquote, urlsplit

# In the form of GIT_ALLOW_PROTOCOL. Excluded: ext, which runs commands; git and http, which others can alter.
PROTOCOLS = "file:https:ssh"

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USER_INFO = re.compile(r"(?<=://)[^\s/@]*(?::[^\s/@]*)?@")
_QUERY = re.compile(r"(?<=\w)\?\S+")
# What git-check-ref-format(1) rejects, and characters that would turn the name into a refspec.
_NO_BRANCH = re.compile(r"^[-/.]|[/.]$|\.lock(/|$)|\.\.|//|/\.|@\{|[\x00-\x20\x7f~^:?*\[\\]|^@?$")


def url_error(url: str) -> str | None:
    """The reason why git must not use this URL, None if it may."""
    if not url or url.startswith("-") or any(not c.isprintable() for c in url):
        return f"{display(url)!r} is not a repository URL or path"
    if "::" in url.split("://", maxsplit=1)[0].split("[", maxsplit=1)[0]:
        return f"{display(url)!r} names a remote helper, which is not allowed: use https, ssh or a path"
    scheme = _SCHEME.match(url)
    if not scheme or scheme[1].lower() in PROTOCOLS.split(":"):
        return None  # a path, or user@host:path, which is ssh
    if is_loopback_http(url):
        return None
    return f"{display(url)!r} uses the protocol {scheme[1]}, which is not secure: use https or ssh"


def branch_error(branch: str) -> str | None:
    """The reason why git would reject this branch name, None if it is valid."""
    return f"{branch!r} is not a valid branch name" if _NO_BRANCH.search(branch) else None


def is_loopback_http(url: str) -> bool:
    """Whether the URL is plain http to this machine: a local forge, or a proxy that adds what is missing."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        return False


def display(url: str) -> str:
    """The URL for messages: without user, password, token and query.

    >>> display("https://me:secret@example.com/r.git?key=1"), display("git@example.com:r.git")
    ('https://example.com/r.git', 'git@example.com:r.git')
    """
    return _QUERY.sub("", _USER_INFO.sub("", url))


def scrub(text: str, url: str) -> str:
    """A message from git without the credentials of this URL, in any encoding."""
    text = _USER_INFO.sub("", text)
    for secret in _secrets(url):
        text = text.replace(secret, "***")
    return text


def _secrets(url: str) -> tuple[str, ...]:
    """The secrets of the URL, longest first. Except with ssh, a user name may be a token."""
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
