"""Which addresses a check may be sent to. Pure.

The author of a spec chooses the URL of a check, and might be a stranger. The operator chooses the reach
through options and variables, never through a spec, because a Fleet in the same repository has the same
authors.

- `plan` reaches only public addresses, because it might run for any pull request, on a machine inside a
  network.
- The daemon reaches private addresses too, because its specs are merged and its Prometheus is usually in the
  same network.
- Neither reaches the machine itself, its local link, or a metadata server, which hands out credentials.

An allow list adds hosts and networks. A name on the list opens the private and loopback addresses that it
resolves to. Every other range opens only through a network on the list that lies inside the range, so
`0.0.0.0/0` opens no metadata server.
"""

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from reconciler.spec.wording import quote, shorten

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AddressKind(Enum):
    """The kind of an address, as messages name it."""

    PUBLIC = "a public address"
    PRIVATE = "a private address"
    LOOPBACK = "a loopback address"
    LINK_LOCAL = "a link-local address"
    METADATA = "the address of a metadata server"
    UNSPECIFIED = "an unspecified address"
    MULTICAST = "a multicast address"
    RESERVED = "a reserved address"


# The first range that contains an address decides. Our own table, because what `ipaddress` calls private has
# changed between patch releases of Python.
_RANGES: tuple[tuple[AddressKind, tuple[Network, ...]], ...] = tuple(
    (kind, tuple(map(ip_network, networks)))
    for kind, networks in (
        # Azure's wire server, and the servers of Alibaba, Oracle, AWS and Google that are not link-local.
        (
            AddressKind.METADATA,
            (
                "168.63.129.16",
                "100.100.100.200",
                "192.0.0.192",
                "fd00:ec2::254",
                "fd20:ce::254",
            ),
        ),
        (AddressKind.LINK_LOCAL, ("169.254.0.0/16", "fe80::/10")),
        (AddressKind.LOOPBACK, ("127.0.0.0/8", "::1")),
        (AddressKind.UNSPECIFIED, ("0.0.0.0/8", "::")),  # Linux connects 0.0.0.0 to the machine itself
        (
            AddressKind.PRIVATE,
            (
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "100.64.0.0/10",  # of carriers, and of networks of clusters
                "192.0.0.0/24",
                "198.18.0.0/15",  # for benchmarks, and of networks of clusters
                "fc00::/7",
                "fec0::/10",
            ),
        ),
        (AddressKind.MULTICAST, ("224.0.0.0/4", "ff00::/8")),
        (AddressKind.RESERVED, ("240.0.0.0/4",)),
        (AddressKind.PUBLIC, ("0.0.0.0/0", "2000::/3")),
        (AddressKind.RESERVED, ("::/0",)),
    )
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))

_BY_NAME = frozenset({AddressKind.PRIVATE, AddressKind.LOOPBACK})
_BY_WIDE_NETWORK = frozenset({AddressKind.PRIVATE})
_LABEL = "[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class HostName:
    """A host name in lower case. "*.example.com" stands for every host below example.com."""

    pattern: str

    def covers(self, host: str) -> bool:
        """Whether this name covers the host of a URL.

        >>> below = HostName("*.example.com")
        >>> below.covers("a.b.Example.com."), below.covers("example.com")
        (True, False)
        """
        name = _plain(host)
        return name.endswith(self.pattern[1:]) if self.pattern.startswith("*") else name == self.pattern


Allowed = HostName | IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Reach:
    """The kinds of addresses that checks may be sent to, and the hosts and networks that are also allowed."""

    kinds: frozenset[AddressKind]
    allowed: tuple[Allowed, ...] = ()

    def refusal(self, host: str, address: str) -> str:
        """Why no check may be sent to a host at this address, or "" if checks are allowed.

        `host` is the host as the URL spells it. `address` is the address that the host resolves to.
        """
        at = _unwrapped(ip_address(address))
        kind = address_kind(at)
        if kind in self.kinds or self._allows(host, at, kind):
            return ""
        if kind in _BY_NAME:
            fix = f"allow it with --allow-check-hosts {shorten(host)}"
        else:
            fix = "write the URL of another server"
        return f"was not called, because it is at {kind.value}; {fix}"

    def refusal_behind_proxy(self, host: str) -> str:
        """Why no check may be sent to this host through a proxy, or "" if checks are allowed.

        The proxy resolves the name, so the address is not known here. If private addresses are out of reach,
        the name must be on the allow list.
        """
        if AddressKind.PRIVATE in self.kinds or self._names(host):
            return ""
        fix = f"allow it with --allow-check-hosts {shorten(host)}"
        return f"was not called, because a proxy could resolve it to any address; {fix}"

    def _allows(self, host: str, at: Address, kind: AddressKind) -> bool:
        if kind in _BY_NAME and self._names(host):
            return True
        networks = [each for each in self.allowed if not isinstance(each, HostName) and at in each]
        return any(kind in _BY_WIDE_NETWORK or _is_within(each, kind) for each in networks)

    def _names(self, host: str) -> bool:
        return any(isinstance(each, HostName) and each.covers(host) for each in self.allowed)


# The default reach for the checks of a spec that might not be merged yet, and of a spec that is merged.
UNMERGED = Reach(frozenset({AddressKind.PUBLIC}))
MERGED = Reach(frozenset({AddressKind.PUBLIC, AddressKind.PRIVATE}))


def address_kind(address: Address) -> AddressKind:
    """The kind of an address. An IPv6 address that embeds an IPv4 address has the kind of the IPv4 address.

    >>> address_kind(ip_address("::ffff:10.0.0.5"))
    <AddressKind.PRIVATE: 'a private address'>
    """
    at = _unwrapped(address)
    return next(kind for kind, networks in _RANGES if any(at in each for each in networks))


def allowed(text: str) -> Allowed:
    """An entry of an allow list: a name, an address or a network.

    Raises ValueError, with the cause and the fix, if the text is none of these.

    >>> allowed("10.1.0.0/16"), allowed("*.Corp.example.com")
    (IPv4Network('10.1.0.0/16'), HostName(pattern='*.corp.example.com'))
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ip_network(bare)
    except ValueError as error:
        if "host bits" in str(error):
            network = ip_network(bare, strict=False)
            raise ValueError(f"{quote(text)} has host bits set: write {network}") from None
    name = _plain(text)
    if "://" in text:
        raise ValueError(f"{quote(text)} is a URL: write only its host")
    if _NUMBER.fullmatch(name):
        raise ValueError(f"{quote(text)} is not an address: write four numbers, such as 10.0.0.5")
    if name == "*" or not _NAME.fullmatch(name):
        example = "prometheus.example.com, *.example.com, 10.0.0.5 or 10.0.0.0/8"
        raise ValueError(f"{quote(text)} is not a host or network: write one, such as {example}")
    return HostName(name)


def _plain(host: str) -> str:
    """A host in canonical spelling: in lower case, without a trailing dot."""
    return host.casefold().removesuffix(".")


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address embeds, or else the address without its zone."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in each for each in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or IPv6Address(int(address))


def _is_within(network: Network, kind: AddressKind) -> bool:
    """Whether all addresses in a network are of this kind."""
    return any(
        network.version == each.version and network[0] in each and network[-1] in each
        for other, ranges in _RANGES
        if other is kind
        for each in ranges
    )
