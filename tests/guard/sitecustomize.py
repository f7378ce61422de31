"""Python's own start-up hook: every interpreter with this directory on its PYTHONPATH reaches this machine only.

Each attempt to connect elsewhere is written to the file GUARD_LOG, as "<host> <timeout>", and fails at once as if
the timeout had passed: what a firewall that drops everything would cost is the sum of the timeouts.
"""

import ipaddress
import os
import socket
import sys
from typing import Any

_SOMEWHERE = "192.0.2.1"  # of a network that there is only in documentation
_names: dict[str, str] = {_SOMEWHERE: "?"}
_resolve = socket.getaddrinfo


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"localhost", ""}


def _getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    """No name server is asked: every name but our own is an address that nobody has."""
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or _is_here(name):
        return _resolve(host, *arguments, **options)
    if not name.replace(".", "").isdigit():
        _names[_SOMEWHERE] = name
        name = _SOMEWHERE
    return _resolve(name, *arguments, **options)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        return
    connection, address = arguments[0], arguments[-1]
    if connection.family not in {socket.AF_INET, socket.AF_INET6} or not address or _is_here(address[0]):
        return
    with open(os.environ["GUARD_LOG"], "a") as log:
        log.write(f"{_names.get(address[0], address[0])} {connection.gettimeout()}\n")
    raise TimeoutError("timed out")


socket.getaddrinfo = _getaddrinfo
sys.addaudithook(_audit)
