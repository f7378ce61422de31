"""Sends requests to the running daemon over HTTP."""

import json
import socket
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener, getproxies, proxy_bypass

from reconciler.cli.local_host import is_local

_PATIENCE = 5.0  # seconds
_LONGEST_LINE = 1000
_DIRECT = build_opener(ProxyHandler({}))


class DaemonUnreachable(Exception):
    """No daemon responded, or something other than a daemon did."""


class DaemonAbsent(DaemonUnreachable):
    """Nothing is listening at the address, or the host does not exist.

    After any other failure, a daemon may still be running there.
    """


class DaemonRefused(Exception):
    """The daemon responded with an error. `status` is the HTTP status code."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def store_of(server: str) -> dict[str, Any]:
    """The store of the daemon, in the shape of `reconciler.daemon.report.store`, with a field `source` added.

    Raises DaemonUnreachable, or its subclass DaemonAbsent if it is certain that no daemon is listening there.
    """
    try:
        with _open(f"{server}/status") as response:
            shown = json.load(response)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the response too
        kind = DaemonAbsent if _is_absent(server, error) else DaemonUnreachable
        raise kind(f"no daemon responds at {server}") from error
    if not isinstance(shown, dict) or "scaleSets" not in shown:
        raise _stranger(server)
    return {"source": {"kind": "daemon", "url": server}, **shown}


def instances_of(server: str, name: str) -> dict[str, Any] | None:
    """The heat maps of one scale set, or None if the daemon does not serve them."""
    try:
        with _open(f"{server}/scale-sets/{quote(name, safe='')}/instances") as response:
            shown = json.load(response)
    except (OSError, HTTPException, ValueError):
        return None
    return shown if isinstance(shown, dict) and "maps" in shown else None


def page_of(server: str, page: str) -> str:
    """A page of the daemon as a self-contained file. Raises DaemonUnreachable and DaemonRefused."""
    try:
        with _open(f"{server}/export?{urlencode({'page': page})}") as response:
            return str(response.read().decode())
    except HTTPError as error:
        raise DaemonRefused(f"{error.code}: {error.reason}", error.code) from error
    except (OSError, HTTPException, ValueError) as error:
        raise DaemonUnreachable(f"no daemon responds at {server}") from error


def post(server: str, path: str, body: Mapping[str, Any]) -> str:
    """Send a request to the daemon at the URL `server`. Returns the text of the response.

    Raises DaemonUnreachable and DaemonRefused.
    """
    return _post(server, path, body)[:_LONGEST_LINE]


def post_for_json(server: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Send a request, and return the JSON object in the response.

    Raises DaemonUnreachable and DaemonRefused.
    """
    try:
        shown = json.loads(_post(server, path, body))
    except ValueError:
        shown = None
    if not isinstance(shown, dict):
        raise _stranger(server)
    return shown


def _post(server: str, path: str, body: Mapping[str, Any]) -> str:
    request = Request(  # noqa: S310 - the option is a Url
        f"{server}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with _open(request) as response:
            return str(response.read().decode(errors="replace").strip())
    except HTTPError as error:
        said = error.read(_LONGEST_LINE).decode(errors="replace").strip()
        raise DaemonRefused(f"{error.code}: {said or error.reason}", error.code) from error
    except (OSError, HTTPException, ValueError) as error:
        raise DaemonUnreachable(f"no daemon responds at {server}") from error


def _stranger(server: str) -> DaemonUnreachable:
    return DaemonUnreachable(f"something other than the daemon responds at {server}")


def _is_absent(server: str, error: Exception) -> bool:
    """Whether the error proves that nothing is listening. An error from a proxy proves nothing."""
    cause = error.reason if isinstance(error, URLError) else error
    if _has_proxy(server):
        return False
    if isinstance(cause, socket.gaierror):  # EAI_AGAIN is a name server that did not answer
        return cause.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    return isinstance(cause, ConnectionRefusedError)


def _has_proxy(server: str) -> bool:
    url = urlsplit(server)
    host = url.hostname or ""
    return not is_local(host) and url.scheme in getproxies() and not proxy_bypass(host)


def _open(asked: str | Request) -> Any:
    """Send a request. A daemon on this host is asked directly, because a proxy would ask its own host."""
    url = asked if isinstance(asked, str) else asked.full_url
    opener = _DIRECT if is_local(urlsplit(url).hostname or "") else build_opener()
    return opener.open(asked, timeout=_PATIENCE)
