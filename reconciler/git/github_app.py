"""Tokens for a GitHub App. GitHub issues a token for one installation in exchange for a signed assertion.

The assertion names the app, and is signed with the app's private key.
"""

import base64
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.git.address import Address
from reconciler.git.credentials import CredentialsMissing
from reconciler.spec.wording import printable

_CLOCK_SECONDS = 60  # by which the clock of the server might be behind ours
_STATEMENT_SECONDS = 540  # GitHub accepts at most 600
_FRESH_SECONDS = 1800.0  # how long a token is used; it is valid for an hour
_TIMEOUT_SECONDS = 20
_LONGEST = 200  # characters of GitHub's own message
_MOST = 1 << 20  # bytes of a response


@dataclass(frozen=True, slots=True)
class App:
    """One installation of a GitHub App. `key` is the file that contains the app's private key."""

    app_id: str
    installation: str
    key: Path


class Tokens:
    """The app's tokens, one for each forge. Each token is used for half an hour. Thread-safe."""

    def __init__(self, app: App, now: Callable[[], float] = time.time) -> None:
        self._app = app
        self._now = now
        self._known: dict[str, tuple[float, str]] = {}
        self._lock = Lock()

    def __call__(self, address: Address) -> str:
        """A token for the forge of `address`. Raises CredentialsMissing if the forge issues none."""
        url, app = api(address), self._app
        with self._lock:
            known = self._known
            at, found = known.get(url, (0.0, ""))
            if not found or not 0 <= self._now() - at < _FRESH_SECONDS:
                exchange = f"{url}/app/installations/{app.installation}/access_tokens"
                found = _exchange(exchange, app, self._now())
                known[url] = self._now(), found
            return found

    def forget(self) -> None:
        """Discard all tokens. A call in progress still returns its token, but later calls do not reuse that
        token.
        """
        self._known = {}


def api(address: Address) -> str:
    """The API URL of a forge: github.com, a GHE.com tenant, or a self-hosted server.

    Raises CredentialsMissing if `address` is neither https nor http to this machine.
    """
    parts = urlsplit(address.bare)
    if parts.scheme not in ("https", "http"):
        raise CredentialsMissing("a GitHub App requires an https URL")
    host = parts.netloc
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"{parts.scheme}://{host}/api/v3"


def _exchange(url: str, app: App, at: float) -> str:
    headers = {
        "Authorization": f"Bearer {_statement(app, at)}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "vmss-reconciler",
    }
    # The scheme is that of the repository: https, or http to this machine.
    request = urllib.request.Request(url, b"", headers, method="POST")  # noqa: S310
    refused = f"GitHub issued no token for the installation {app.installation} of the app {app.app_id}"
    try:
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=_trust()))
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            found = json.loads(response.read(_MOST))
    except urllib.error.HTTPError as error:
        with error:
            raise CredentialsMissing(f"{refused}: {error.code} {_message(error.read(_MOST))}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CredentialsMissing(f"{refused}: {printable(str(error))[:_LONGEST]}") from error
    token = found.get("token") if isinstance(found, Mapping) else None
    if not isinstance(token, str) or not token.isprintable():
        raise CredentialsMissing(f"{refused}: the response contains none")
    return token


def _trust() -> ssl.SSLContext:
    """An SSL context that trusts the CA file in GIT_SSL_CAINFO, like git, or the default certificates.

    Raises OSError if the file cannot be read.
    """
    return ssl.create_default_context(cafile=os.environ.get("GIT_SSL_CAINFO") or None)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, because the assertion must not be sent to any other address."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _message(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = found.get("message") if isinstance(found, Mapping) else ""
    return printable(str(message or ""))[:_LONGEST]


def _statement(app: App, at: float) -> str:
    """The assertion: a JSON Web Token (RFC 7519) signed with RS256."""
    claims = {"iat": int(at) - _CLOCK_SECONDS, "exp": int(at) + _STATEMENT_SECONDS, "iss": app.app_id}
    signed = f"{_base64url({'alg': 'RS256', 'typ': 'JWT'})}.{_base64url(claims)}"
    return f"{signed}.{_base64(_key(app.key).sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _key(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CredentialsMissing(f"the GitHub App key file {path} cannot be read: {reason}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise CredentialsMissing(f"{path} is not the private key of a GitHub App: download a new one (.pem)")
    return key


def _base64url(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
