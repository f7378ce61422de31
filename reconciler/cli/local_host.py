"""Tells whether an address belongs only to this host."""

from ipaddress import ip_address


def is_local(host: str) -> bool:
    """Whether the address reaches only this host.

    >>> is_local("localhost"), is_local("::1"), is_local("10.0.0.7"), is_local("reconciler.example.com")
    (True, True, False, False)
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local
