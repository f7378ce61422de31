"""Validation of the URLs of checks. A message never contains a secret from the URL."""

import pytest

from reconciler.spec.address import server_error, url_error

CREDENTIALS = (
    "contains a user name or password, which must not be stored in git: remove everything up to the @"
)


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example.com/healthz",
        "http://10.0.0.1:8080/a/@me?x=1",
        "http://[::1]:9090/",
        "https://a/?tokens=3",
    ],
)
def test_a_valid_url_has_no_error(address: str) -> None:
    assert url_error(address) is None


@pytest.mark.parametrize(
    "address, expected",
    [
        pytest.param("https://ada:geheim@a.example/", CREDENTIALS, id="a user name and password"),
        pytest.param("https://geheim@a.example/", CREDENTIALS, id="a user name that may be a token"),
        pytest.param("ada:geheim@a.example", CREDENTIALS, id="a password without a scheme"),
        pytest.param("https://ada:gehe im@a.example/", CREDENTIALS, id="a password with a space"),
        pytest.param(
            "https://a.example/?x=1&sig=geheim",
            "contains the secret sig, which must not be stored in git: use a URL without it",
            id="a signature in the query string",
        ),
        pytest.param(
            "https://a.example/?API_KEY=geheim",
            "contains the secret API_KEY, which must not be stored in git: use a URL without it",
            id="an API key in capitals",
        ),
        pytest.param(
            "https://ada:geheim/x@a.example/",
            "has an invalid host or port: write a URL such as https://shop.example.com/healthz",
            id="a password with a slash in it",
        ),
        pytest.param(
            "https://[::1/",
            "has an invalid host or port: write a URL such as https://shop.example.com/healthz",
            id="an unclosed IPv6 address",
        ),
        pytest.param("https://a.example/#geheim", "contains a #, but the part after it is never sent: remove the # and what follows", id="a fragment"),
        pytest.param("https://a.example/#", "contains a #, but the part after it is never sent: remove the # and what follows", id="an empty fragment"),
        pytest.param(
            "a.example/healthz",
            '"a.example/healthz" has no scheme: begin it with http:// or https://',
            id="a URL without a scheme",
        ),
    ],
)  # fmt: skip
def test_an_invalid_url_is_reported_without_its_secret(address: str, expected: str) -> None:
    assert url_error(address) == server_error(address) == expected
    assert "geheim" not in expected


@pytest.mark.parametrize(
    "address, expected",
    [
        pytest.param("http://prometheus:9090", None, id="a server at the root"),
        pytest.param("https://example.com/prometheus/", None, id="a server below a path"),
        pytest.param(
            "http://prometheus:9090/api/v1/query",
            "includes the API path of the server: remove /api/v1/query",
            id="a URL with the API path",
        ),
        pytest.param(
            "http://prometheus:9090/graph",
            "includes the API path of the server: remove /graph",
            id="a URL with the path of the graph page",
        ),
        pytest.param(
            "http://prometheus:9090/?query=up",
            "contains a query string: remove it, and write the query in the field query",
            id="a URL with a query string",
        ),
    ],
)
def test_the_url_of_a_prometheus_server(address: str, expected: str | None) -> None:
    assert server_error(address) == expected
