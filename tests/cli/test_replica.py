"""Where other replicas reach this one."""

import pytest

from reconciler.cli.replica import reachable


@pytest.mark.parametrize(
    "listen, address",
    [
        pytest.param(("10.0.0.7", 8081), "10.0.0.7:8081", id="an address of the network"),
        pytest.param(("2001:db8::7", 8081), "[2001:db8::7]:8081", id="one of IPv6"),
        pytest.param(("127.0.0.1", 8081), "", id="loopback, where each replica reaches itself"),
        pytest.param(("::1", 8081), "", id="loopback of IPv6"),
        pytest.param(("localhost", 8081), "", id="the name of loopback"),
        pytest.param(("169.254.1.1", 8081), "", id="link-local"),
    ],
)
def test_the_address_for_other_replicas(listen: tuple[str, int], address: str) -> None:
    assert reachable(listen) == address
