"""Which forms a page of ours has sent."""

from datetime import timedelta

import pytest

from reconciler.web.page.forgery import FormTokens, cross_site_note
from tests.build import NOW

HOST, ORIGIN = (b"host", b"fleet.example.com"), (b"origin", b"https://fleet.example.com")


def with_origin(origin: str) -> list[tuple[bytes, bytes]]:
    return [HOST, (b"origin", origin.encode())]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([HOST, ORIGIN], id="a browser that says no more"),
        pytest.param([HOST, ORIGIN, (b"sec-fetch-site", b"same-origin")], id="a browser of today"),
        pytest.param([(b"host", b"Fleet.Example.COM"), ORIGIN], id="another case"),
        pytest.param(with_origin("http://fleet.example.com"), id="TLS that a proxy ends"),
        pytest.param([(b"host", b"[::1]:8080"), (b"origin", b"http://[::1]:8080")], id="an IPv6 address"),
    ],
)
def test_a_form_of_ours(headers: list[tuple[bytes, bytes]]) -> None:
    assert cross_site_note(headers) == ""


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([HOST], id="no Origin"),
        pytest.param([ORIGIN], id="no Host"),
        pytest.param([HOST, ORIGIN, ORIGIN], id="two Origins"),
        pytest.param([HOST, HOST, ORIGIN], id="two Hosts"),
        pytest.param(with_origin("https://evil.example.com"), id="another site"),
        pytest.param(with_origin("https://fleet.example.com.evil.com"), id="a site that begins like ours"),
        pytest.param(with_origin("https://fleet.example.com:8443"), id="another port"),
        pytest.param(with_origin("https://evil.com#fleet.example.com"), id="ours in a fragment"),
        pytest.param(with_origin("https://ada@fleet.example.com"), id="a user"),
        pytest.param(with_origin("null"), id="an origin that is hidden"),
        pytest.param(with_origin(""), id="an empty Origin"),
        pytest.param([(b"host", b""), (b"origin", b"")], id="all empty"),
        pytest.param(with_origin("https://["), id="no URL"),
        pytest.param([HOST, ORIGIN, (b"sec-fetch-site", b"cross-site")], id="the browser says cross-site"),
        pytest.param([HOST, ORIGIN, (b"sec-fetch-site", b"same-site")], id="the browser says same-site"),
        pytest.param([HOST, ORIGIN, (b"sec-fetch-site", b"none")], id="the browser says none"),
        pytest.param(
            [HOST, ORIGIN, *[(b"sec-fetch-site", b"same-origin")] * 2], id="the browser says it twice"
        ),
    ],
)
def test_a_form_of_somebody_else(headers: list[tuple[bytes, bytes]]) -> None:
    assert cross_site_note(headers).startswith("the form was not sent by a page of this address: ")


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(["bob", "pause", "web", ""], id="another person"),
        pytest.param(["ada", "resume", "web", ""], id="another action"),
        pytest.param(["ada", "pause", "api", ""], id="another scale set"),
        pytest.param(["ada", "pause", "web", "1.4.0"], id="another image"),
        pytest.param(["ada", "pause", 'web","', ""], id="a name that looks like two"),
        pytest.param(["ada", "pauseweb", "", ""], id="the same letters"),
    ],
)
def test_a_token_is_worth_nothing_for(shown: list[str]) -> None:
    tokens = FormTokens()
    token = tokens.token(NOW, "ada", "pause", "web", "")
    assert tokens.is_valid(token, NOW, "ada", "pause", "web", "")
    assert not tokens.is_valid(token, NOW, *shown)


@pytest.mark.parametrize("token", ["", "0" * 64, "é", "\0", ".", f"{NOW.timestamp():.0f}.{'0' * 64}"])
def test_what_is_no_token(token: str) -> None:
    assert not FormTokens().is_valid(token, NOW, "ada")


def test_a_token_of_another_process_is_worth_nothing() -> None:
    assert not FormTokens().is_valid(FormTokens().token(NOW, "ada"), NOW, "ada")


def test_a_token_is_valid_for_an_hour_and_its_time_cannot_be_changed() -> None:
    tokens, hour = FormTokens(), timedelta(hours=1)
    token = tokens.token(NOW, "ada")
    assert tokens.is_valid(token, NOW + hour, "ada")
    late = NOW + hour + timedelta(seconds=1)
    assert not tokens.is_valid(token, late, "ada")
    younger = f"{late.timestamp():.0f}.{token.partition('.')[2]}"
    assert not tokens.is_valid(younger, late, "ada")
