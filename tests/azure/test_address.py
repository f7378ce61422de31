"""Which addresses are followed: those on our own endpoint. No token is sent elsewhere."""

import json
from io import BytesIO
from typing import Any

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse
from urllib3.util import parse_url

from reconciler.azure.address import on_endpoint
from reconciler.azure.budget import Priority
from reconciler.azure.cloud import PUBLIC_CLOUD
from reconciler.azure.compute import Compute, Scope
from reconciler.azure.failure import MalformedResponse, Unreachable
from reconciler.azure.session import Session
from reconciler.rollout.observed import Verdict
from reconciler.spec.image import GalleryImage
from tests.azure.conftest import TARGET
from tests.build import SUBSCRIPTION, model
from tests.stories.test_images import named
from tests.token import Token

PATH = "/subscriptions/s"
OWN = f"{PUBLIC_CLOUD}{PATH}"
EVIL = [
    "https://evil.example/x",
    r"https://evil.example\@management.azure.com/x",
    r"https://evil.example\.management.azure.com/x",
    "https://evil.example#@management.azure.com/x",
]


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://management.azure.com/subscriptions/s", OWN),
        ("https://management.azure.com:443/subscriptions/s", OWN),
        ("https://MANAGEMENT.azure.com/subscriptions/s", OWN),
        ("HTTPS://management.azure.com/subscriptions/s#top", OWN),
        ("/subscriptions/s", OWN),
        ("subscriptions/s", OWN),
        ("https://management.azure.com/subscriptions/s?t=a%20b&c=%2F", f"{OWN}?t=a%20b&c=%2F"),
        ("https://management.azure.com/subscriptions/{s}?t={0}", f"{PUBLIC_CLOUD}/subscriptions/%7Bs%7D?t=%7B0%7D"),
        ("/subscriptions/s?$filter='a' eq 'b'", f"{OWN}?$filter='a'%20eq%20'b'"),
        ("///elsewhere.test/", f"{PUBLIC_CLOUD}/elsewhere.test/"),
        ("http://management.azure.com/subscriptions/s", None),
        ("https://management.azure.com:8443/subscriptions/s", None),
        ("https://management.azure.com.elsewhere.test/", None),
        ("https://management.azure.com@elsewhere.test/", None),
        ("https://somebody@management.azure.com/x", None),
        ("https://somebody:secret@management.azure.com/x", None),
        ("//elsewhere.test/", None),
        ("https:elsewhere.test/", None),
        ("https:///elsewhere.test/", None),
        ("mailto:somebody@elsewhere.test", None),
        (r"https://evil.example\@management.azure.com/x", None),
        (r"https://management.azure.com\@evil.example/x", None),
        (r"\\evil.example\x", None),
        ("https://management.azure.com/a b", None),
        (" https://management.azure.com/x", None),
        ("https://management.azure.com/x\r\nHost: evil.example", None),
        ("https://management.azure.com/\tx", None),
        ("https://management.azure.com/x?a=\tb", None),
        ("https://management.azure.com/x?a=\r\nb", None),
        ("https://management.azure.com/\x00x", None),
        ("https://management.azure.com/\u2028x", None),
        ("https://management.azure.com/\x85x", None),
        ("https://management.azure.com:abc/x", None),
        ("https://management.azure.com:99999/x", None),
        ("https://management.azure.com:-1/x", None),
        ("https://[bad/x", None),
        ("https://[::1/x", None),
        ("https://management.azure.com\uff03evil.example/x", None),
    ],
)  # fmt: skip
def test_which_addresses_are_followed(url: str, asked: str | None) -> None:
    if asked:
        assert on_endpoint(url, PUBLIC_CLOUD) == asked
        return
    with pytest.raises(MalformedResponse, match="the link was not followed"):
        on_endpoint(url, PUBLIC_CLOUD)


class Wire(BaseAdapter):
    """Responds with the next of some bodies, and records the host of each request."""

    def __init__(self, *answers: tuple[int, dict[str, str], str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.hosts: list[str | None] = []

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:  # type: ignore[override]
        assert "Authorization" in request.headers
        self.hosts.append(parse_url(request.url or "").host)
        answer = requests.Response()
        answer.status_code, headers, body = self.answers.pop(0)
        answer.headers.update({"Content-Type": "application/json", **headers})
        answer.request, answer.url, answer.raw = (
            request,
            request.url or "",
            HTTPResponse(BytesIO(body.encode()), preload_content=False),
        )
        return answer

    def close(self) -> None:
        """Nothing is open."""


def compute(wire: Wire) -> Compute:
    http = requests.Session()
    http.mount("https://", wire)
    transport = RequestsTransport(session=http, session_owner=False)
    return Compute(Session(credential=Token(), transport=transport))


def linked(url: str) -> tuple[int, dict[str, str], str]:
    return 200, {}, json.dumps({"value": [], "nextLink": url})


@pytest.mark.parametrize("url", EVIL)
def test_no_token_is_sent_to_a_next_link_on_another_host(url: str) -> None:
    wire = Wire(linked(url))
    with pytest.raises(MalformedResponse, match="the link was not followed"):
        list(compute(wire).models(Scope(SUBSCRIPTION)))
    assert wire.hosts == ["management.azure.com"]


@pytest.mark.parametrize("url", [*EVIL, "https://[bad/x", "https://management.azure.com:abc/x"])
def test_no_token_is_sent_to_a_link_that_the_sdk_follows(url: str) -> None:
    wire = Wire(linked(url))
    image = GalleryImage(named("gallery", "latest"))
    assert compute(wire).availability(image, model(), Priority.ROLLOUT).verdict is Verdict.UNREADABLE
    assert wire.hosts == ["management.azure.com"]


@pytest.mark.parametrize("url", [*EVIL, "https://[bad/x", "https://management.azure.com:abc/x"])
def test_no_token_is_sent_to_a_redirect(url: str) -> None:
    wire = Wire((307, {"Location": url}, ""))
    with pytest.raises(Unreachable):
        compute(wire).model(TARGET, Priority.ROLLOUT)
    assert wire.hosts == ["management.azure.com"]
