"""The address of a client."""

from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address


def peer_address(peer: str) -> Address | None:
    """The address of the client, without its zone, or None if `peer` is not an address.

    A socket that listens on both IPv4 and IPv6 reports an IPv4 client with an IPv6 address. That address is
    converted to IPv4.

    >>> peer_address("::ffff:10.0.0.7"), peer_address("fe80::1%eth0")
    (IPv4Address('10.0.0.7'), IPv6Address('fe80::1'))
    """
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
