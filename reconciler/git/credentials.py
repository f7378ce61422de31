"""How git authenticates to the server: with an `Access` that is created just before each git call.

Credentials reach git through environment variables only. They are never part of an argument list and are
never written to disk. Users and passwords go through a credential helper that git consults for one host, so
git sends them to no other host. A bearer token is sent in a header to one host, and git does not follow
redirects from that host.
"""

import base64
import binascii
import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from reconciler.git.address import Address

TOKEN_USER = "x-access-token"  # noqa: S105 - a name; GitHub requires it, GitLab and Azure DevOps accept any

_HELPER = (
    '!f() { test "$1" = get || exit 0; printf "username=%s\\npassword=%s\\n"'
    ' "$RECONCILER_GIT_USER" "$RECONCILER_GIT_PASSWORD"; }; f'
)
_MAGIC = b"openssh-key-v1\0"


class CredentialsMissing(Exception):
    """The credentials cannot be obtained. The message is one line without secrets."""


@dataclass(frozen=True, slots=True)
class Access:
    """The credentials for one git call, as configuration and environment variables.

    `secrets` are the strings to redact in git's messages.
    """

    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


Credentials = Callable[[Address], Access]
"""Returns the access to the repository at an address. It is called again for each call of git.

Raises CredentialsMissing if the credentials cannot be obtained.
"""


def of_url(address: Address) -> Access:
    """The credentials in the URL, or else those in git's own configuration."""
    if address.password is not None and _is_http(address):
        return basic(address, address.user, address.password)
    if address.user and _is_http(address):
        return Access(((f"credential.{_origin(address)}.username", address.user),), {}, ())
    return Access(secrets=_encodings(address.password or ""))


def token_file(path: Path) -> Credentials:
    """The token in a file. The file is read again for each git call.

    The user name comes from the URL, or is TOKEN_USER if the URL has none.
    """

    def access(address: Address) -> Access:
        return basic(address, address.user or TOKEN_USER, _secret(path, "token file"))

    return access


def bearer(token: Callable[[], str]) -> Credentials:
    """A bearer token, such as the token of a workload identity.

    `token` returns the token, or raises CredentialsMissing if there is none.
    """

    def access(address: Address) -> Access:
        found, origin = token(), _origin(address)
        config = (
            (f"http.{origin}.extraHeader", f"Authorization: Bearer {found}"),
            (f"http.{origin}.followRedirects", "false"),
        )
        return Access(config, {}, _encodings(found))

    return access


def token(obtain: Callable[[Address], str]) -> Credentials:
    """A token that is sent as a password.

    `obtain` returns the token for an address, or raises CredentialsMissing if there is none.
    """

    def access(address: Address) -> Access:
        return basic(address, TOKEN_USER, obtain(address))

    return access


def ssh_key(key: Path | None, known_hosts: Path | None) -> Credentials:
    """An SSH key and a file of known hosts. For each that is None, ssh uses its own configuration."""

    def access(_address: Address) -> Access:
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        if key:
            _check_key(key)
            options += ["-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        if known_hosts:
            _readable(known_hosts, "file of known hosts")
            quoted = str(known_hosts).replace("\\", "\\\\").replace('"', '\\"')
            options += ["-o", f'UserKnownHostsFile="{quoted}"', "-o", "GlobalKnownHostsFile=/dev/null"]
        return Access((), {"GIT_SSH_COMMAND": shlex.join(["ssh", *options])})

    return access


def basic(address: Address, user: str, password: str) -> Access:
    """A user and a password for the host of this address, where git uses no other credential helper."""
    helper = f"credential.{_origin(address)}.helper"
    variables = {"RECONCILER_GIT_USER": user, "RECONCILER_GIT_PASSWORD": password}
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    secrets = (*_encodings(password), *_encodings("" if user == TOKEN_USER else user), pair)
    return Access(((helper, ""), (helper, _HELPER)), variables, secrets)


def _origin(address: Address) -> str:
    """The scheme, host and port. Raises CredentialsMissing unless the address is https or http."""
    if not _is_http(address):
        raise CredentialsMissing("a token requires an https URL")
    parts = urlsplit(address.bare)
    return f"{parts.scheme}://{parts.netloc}"


def _is_http(address: Address) -> bool:
    return address.bare.lower().startswith(("https://", "http://"))


def _encodings(secret: str) -> tuple[str, ...]:
    """The forms in which a message might contain the secret.

    Forms of fewer than four characters are left out, because hiding them would also alter ordinary words.
    """
    return tuple({form for form in (secret, quote(secret, safe="")) if len(form) > 3})


def _secret(path: Path, what: str) -> str:
    text = _readable(path, what).strip()
    if not text:
        raise CredentialsMissing(f"the {what} {path} is empty")
    if not text.isprintable():
        raise CredentialsMissing(f"the {what} {path} must contain one line of printable characters")
    return text


def _readable(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CredentialsMissing(f"the {what} {path} cannot be read: {reason}") from error


def _check_key(path: Path) -> None:
    """Raise CredentialsMissing for a key that ssh would silently ignore."""
    text = _readable(path, "SSH key")
    if "PRIVATE KEY" not in text:
        raise CredentialsMissing(f"{path} is not an SSH private key; name the file without .pub")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and path.stat().st_uid == os.geteuid():
        raise CredentialsMissing(
            f"ssh ignores the key {path} because its mode {mode:04o} lets others read it; "
            "set its mode to 0400 (`defaultMode` of a Secret volume)"
        )
    if _is_encrypted(text):
        raise CredentialsMissing(
            f"the key {path} has a passphrase, which ssh cannot ask for; use a key without a passphrase"
        )


def _is_encrypted(text: str) -> bool:
    if "ENCRYPTED" in text:
        return True
    try:
        body = base64.b64decode("".join(re.sub("-----.*?-----", "", text).split()))
    except binascii.Error:
        return False
    if not body.startswith(_MAGIC):
        return False
    start = len(_MAGIC) + 4
    cipher = body[start : start + int.from_bytes(body[start - 4 : start])]
    return cipher != b"none"
