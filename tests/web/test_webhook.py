"""Which requests are authentic webhooks, and that nothing else has an effect."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.web.webhook import Webhooks

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SECRET = b"a secret"
BODY = b'{"ref": "refs/heads/main"}'


class Pushes:
    """Counts the pushes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _is_relayed: bool) -> bool:
        self.count += 1
        return True


def post(
    path: str, headers: dict[str, str], body: bytes = BODY, *, secret: bytes = SECRET, now: datetime = NOW
) -> tuple[HTTPStatus, int]:
    """The status of the response, and the number of pushes that it caused."""
    pushes = Pushes()
    response = Webhooks(lambda: secret, pushes, lambda: now).post(path, headers, body)
    return response.status, pushes.count


def hex_signature(body: bytes = BODY, secret: bytes = SECRET) -> str:
    return f"sha256={hmac.new(secret, body, sha256).hexdigest()}"


def standard(at: datetime, secret: bytes = SECRET) -> dict[str, str]:
    """The headers of a signed webhook of GitLab."""
    seconds = f"{at.timestamp():.0f}"
    digest = hmac.new(secret, f"m1.{seconds}.".encode() + BODY, sha256).digest()
    return {
        "x-gitlab-event": "Push Hook",
        "webhook-id": "m1",
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


PUSH, PUSH_HOOK = {"x-github-event": "push"}, {"x-gitlab-event": "Push Hook"}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/hooks/github", {**PUSH, "x-hub-signature-256": hex_signature()}, id="GitHub"),
        pytest.param(
            "/hooks/github?x=1", {**PUSH, "x-hub-signature-256": hex_signature()}, id="a query is ignored"
        ),
        pytest.param("/hooks/gitlab", {**PUSH_HOOK, "x-gitlab-token": "a secret"}, id="GitLab with a token"),
        pytest.param("/hooks/gitlab", standard(NOW), id="GitLab with a signature"),
        pytest.param(
            "/hooks/gitlab", standard(NOW - timedelta(minutes=5)), id="a signature of five minutes ago"
        ),
        pytest.param(
            "/hooks/gitlab",
            {**standard(NOW), "webhook-signature": f"v1,x v2,y {standard(NOW)['webhook-signature']}"},
            id="the last of several signatures is valid",
        ),
        pytest.param("/hooks/azure-devops", basic("anybody", "a secret"), id="Azure DevOps"),
        pytest.param("/hooks/generic", {"x-signature": hex_signature()}, id="any sender with an HMAC"),
    ],
)
def test_an_authentic_push_causes_a_sweep(path: str, headers: dict[str, str]) -> None:
    assert post(path, headers) == (HTTPStatus.ACCEPTED, 1)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/hooks/github", PUSH, id="GitHub without a signature"),
        pytest.param(
            "/hooks/github", {**PUSH, "x-hub-signature-256": ""}, id="GitHub with an empty signature"
        ),
        pytest.param(
            "/hooks/github",
            {**PUSH, "x-hub-signature-256": hex_signature(b"{}")},
            id="GitHub, of another body",
        ),
        pytest.param(
            "/hooks/github",
            {**PUSH, "x-hub-signature-256": hex_signature(secret=b"x")},
            id="GitHub, with another secret",
        ),
        pytest.param(
            "/hooks/github", {**PUSH, "x-hub-signature-256": "sha256=ü"}, id="a signature that is not ASCII"
        ),
        pytest.param(
            "/hooks/github",
            {**PUSH, "x-hub-signature-256": hex_signature()[7:]},
            id="a signature without its prefix",
        ),
        pytest.param(
            "/hooks/github", {**PUSH, "x-gitlab-token": "a secret"}, id="the proof of another forge"
        ),
        pytest.param("/hooks/gitlab", PUSH_HOOK, id="GitLab without any proof"),
        pytest.param("/hooks/gitlab", {**PUSH_HOOK, "x-gitlab-token": ""}, id="GitLab with an empty token"),
        pytest.param(
            "/hooks/gitlab", standard(NOW - timedelta(minutes=5, seconds=1)), id="a signature that is too old"
        ),
        pytest.param(
            "/hooks/gitlab", standard(NOW + timedelta(minutes=5, seconds=1)), id="a signature of the future"
        ),
        pytest.param(
            "/hooks/gitlab",
            {**standard(NOW), "webhook-timestamp": "9" * 40},
            id="a time that no calendar has",
        ),
        pytest.param(
            "/hooks/gitlab", {**standard(NOW), "webhook-timestamp": "-1"}, id="a time that is not a number"
        ),
        pytest.param("/hooks/gitlab", {**standard(NOW), "webhook-id": "m2"}, id="a signature of another id"),
        pytest.param(
            "/hooks/gitlab",
            {**standard(NOW), "webhook-signature": "v1,x", "x-gitlab-token": "a secret"},
            id="a wrong signature beside the right token",
        ),
        pytest.param("/hooks/azure-devops", {}, id="Azure DevOps without a password"),
        pytest.param("/hooks/azure-devops", basic("a secret", ""), id="the secret as the user name"),
        pytest.param(
            "/hooks/azure-devops", {"authorization": "Basic !"}, id="credentials that are not Base64"
        ),
        pytest.param("/hooks/azure-devops", {"authorization": "Bearer a secret"}, id="another scheme"),
        pytest.param("/hooks/generic", {}, id="any sender without a signature"),
    ],
)
def test_a_request_that_is_not_authentic_causes_nothing(path: str, headers: dict[str, str]) -> None:
    assert post(path, headers) == (HTTPStatus.UNAUTHORIZED, 0)


def test_an_authentic_event_that_is_no_push_is_ignored() -> None:
    headers = {"x-github-event": "ping", "x-hub-signature-256": hex_signature()}
    assert post("/hooks/github", headers) == (HTTPStatus.OK, 0)


def test_an_unknown_path_is_not_found() -> None:
    assert post("/hooks/gitea", {"x-signature": hex_signature()}) == (HTTPStatus.NOT_FOUND, 0)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        post("/hooks/gitlab", {**PUSH_HOOK, "x-gitlab-token": ""}, secret=b"")


def test_the_example_in_the_documentation_of_github_is_authentic() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {**PUSH, "x-hub-signature-256": signature}
    assert post("/hooks/github", headers, b"Hello, World!", secret=b"It's a Secret to Everybody")[1] == 1


def test_the_example_of_the_standard_webhooks_specification_is_authentic() -> None:
    headers = {
        **PUSH_HOOK,
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, body = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert (
        post("/hooks/gitlab", headers, body, secret=secret, now=datetime.fromtimestamp(1614265330, UTC))[1]
        == 1
    )


NAMES = ["x-hub-signature-256", "x-gitlab-token", "x-signature", "authorization", "webhook-signature",
         "webhook-id", "webhook-timestamp", "x-github-event", "x-gitlab-event"]  # fmt: skip


@given(
    path=st.sampled_from(["/hooks/github", "/hooks/gitlab", "/hooks/azure-devops", "/hooks/generic"]),
    headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=80)),
    body=st.binary(max_size=200),
)
def test_nothing_that_anybody_may_send_has_an_effect_or_fails(
    path: str, headers: dict[str, str], body: bytes
) -> None:
    assert post(path, headers, body) == (HTTPStatus.UNAUTHORIZED, 0)
