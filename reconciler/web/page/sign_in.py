"""Identifies the visitor of a page from the headers that an authenticating proxy sets.

    oauth2-proxy      X-Forwarded-Email            X-Forwarded-Groups
    Azure's EasyAuth  X-MS-CLIENT-PRINCIPAL-NAME   none in this form

A header proves nothing by itself, because any client can send one. A header counts only on a connection from
a configured proxy, and that proxy must replace the headers that its own clients have sent. If anything is
wrong with the headers, the visitor is anonymous and may only read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from reconciler.spec.author import LONGEST_NAME, is_person_name
from reconciler.spec.wording import printable, quote
from reconciler.web.page.action import Grants, Visitor
from reconciler.web.peer import peer_address

Network = IPv4Network | IPv6Network
RawHeaders = Iterable[tuple[bytes, bytes]]
"""The headers of a request as they came, their names in lower case."""

_HEADER_NAME = re.compile("[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_MOST_GROUPS = 1000


class _NotInOrder(ValueError):
    """A header is invalid. The message says why."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How readers sign in, and what they may do. `groups_header` is "" if the proxy sends no groups."""

    user_header: str
    groups_header: str
    proxies: tuple[Network, ...]
    grants: Grants

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers in which the proxy names a reader."""
        return tuple(filter(None, (self.user_header, self.groups_header)))

    def visitor(self, headers: RawHeaders, peer: str) -> Visitor:
        """The reader who sent these headers from the address `peer`."""
        found = [(name.decode("latin-1"), value) for name, value in headers]
        address = peer_address(peer)
        if address is None or not any(address in each for each in self.proxies):
            is_sent = any(name == self.user_header.lower() for name, _ in found)
            stranger = (
                f"{self.user_header} came from {printable(peer)}, which is not an address in --page-proxy"
            )
            return Visitor(note=stranger if is_sent else "")
        try:
            name = _single(found, self.user_header)
            groups = _single(found, self.groups_header) if self.groups_header else ""
            return _visitor(name, groups, self)
        except _NotInOrder as error:
            return Visitor(note=str(error))


def header_name(text: str) -> str:
    """Check the name of a header, and return it. Raises ValueError, with the cause and the fix.

    Underscores are rejected. Some proxies treat X_Forwarded_User and X-Forwarded-User as different headers,
    and let their clients send the first.
    """
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError(f"{quote(text)} is not the name of a header; write letters, digits and hyphens")
    return text


def proxy_network(text: str) -> Network:
    """Parse the address or the network of a proxy. Raises ValueError, with the cause and the fix."""
    try:
        return ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            network = ip_network(text, strict=False)
            raise ValueError(f"{quote(text)} has host bits set: write {network}") from None
    raise ValueError(f"{quote(text)} is not an address or a network, such as 10.0.0.5 or 10.0.0.0/24")


def _single(headers: Iterable[tuple[str, bytes]], name: str) -> str:
    """The value of a header, or "" if the header is missing.

    Two values are an error: a proxy that adds its own header to one from a client sends two.
    """
    values = [value for other, value in headers if other == name.lower()]
    if len(values) > 1:
        raise _NotInOrder(f"{len(values)} {name} headers were sent, so it is unknown which one the proxy set")
    try:
        text = values[0].decode() if values else ""
    except UnicodeDecodeError:
        raise _NotInOrder(f"{name} is not in UTF-8") from None
    if not text.isprintable():
        raise _NotInOrder(f"{name} has characters that are not printable")
    return text.strip()


def _visitor(name: str, groups: str, settings: SignIn) -> Visitor:
    if name and not is_person_name(name):
        raise _NotInOrder(f"{settings.user_header} is longer than {LONGEST_NAME} characters")
    members = frozenset(each.strip() for each in groups.split(",")) - {""} if name else frozenset[str]()
    if len(members) > _MOST_GROUPS:
        raise _NotInOrder(f"{settings.groups_header} names more than {_MOST_GROUPS:,} groups")
    return Visitor(name, members)
