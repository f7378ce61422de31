"""What an operator may ask of the daemon, and who may."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest

from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer, PickRefused
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.pause import Pause
from reconciler.web.operator import OperatorRequests
from reconciler.web.response import Headers
from tests.build import spec

JSON = {"content-type": "application/json"}
AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Asked:
    """Commands that only note what they were asked for."""

    def __init__(self, standby: str = "") -> None:
        self.standby = standby
        self.paused: list[Pause | None] = []
        self.reconciled: list[str] = []
        self.picked: list[PickRequest] = []
        self.refusal = ""

    def pause(self, pause: Pause) -> None:
        self.paused.append(pause)

    def resume(self) -> str:
        self.paused.append(None)
        return self.refusal

    def reconcile(self, names: Sequence[str]) -> Sequence[str]:
        self.reconciled += names
        return [name for name in names if name != "web"]

    def last_change(self, name: str) -> Mapping[str, Any] | None:
        return {"message": "by ada"} if name == "web" else None

    def upgrade(self, request: PickRequest) -> PickOffer:
        self.picked.append(request)
        if request.name != "web":
            raise PickRefused(f"no spec in force is named {request.name}")
        return PickOffer(request, ScaleSetState(spec(), ""), ())


def ask(
    path: str, body: Any, headers: Headers = JSON, peer: str = "127.0.0.1", standby: str = ""
) -> tuple[HTTPStatus, str, Asked]:
    asked = Asked(standby)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = OperatorRequests(asked, ("X-Reader", "X-Groups")).respond(path, headers, raw, peer)
    return response.status, response.body.decode().strip(), asked


@pytest.mark.parametrize(
    "path, body",
    [
        ("/pause", {}),
        ("/resume", {}),
        ("/reconcile", {"names": ["web"]}),
        ("/upgrade", {"name": "web", "domain": "3"}),
        ("/last-change", {"name": "web"}),
    ],
)
def test_a_standby_names_the_leader_and_does_nothing(path: str, body: Any) -> None:
    standby = "this replica is on standby: replica-1 leads; ask the leader"
    status, said, asked = ask(path, body, standby=standby)
    assert (status, said) == (HTTPStatus.MISDIRECTED_REQUEST, standby)
    assert not asked.paused
    assert not asked.reconciled
    assert not asked.picked


def test_a_pause_is_passed_on() -> None:
    body = {"by": "ada", "reason": "down", "at": AT.isoformat(), "until": None}
    status, said, asked = ask("/pause", body)
    assert (status, said, asked.paused) == (HTTPStatus.OK, "paused", [Pause("down", "ada", AT)])


def test_a_pause_without_any_field_is_a_pause() -> None:
    assert ask("/pause", {})[2].paused == [Pause()]


def test_a_resumption_is_passed_on() -> None:
    assert ask("/resume", {})[2].paused == [None]


def test_a_resumption_that_the_fleet_bars_is_refused() -> None:
    asked = Asked()
    asked.refusal = "the Fleet bars it"
    response = OperatorRequests(asked).respond("/resume", JSON, b"{}", "127.0.0.1")
    assert (response.status, response.body) == (HTTPStatus.FORBIDDEN, b"the Fleet bars it\n")


def test_a_reconcile_is_passed_on() -> None:
    status, said, asked = ask("/reconcile", {"names": ["web"]})
    assert (status, said, asked.reconciled) == (HTTPStatus.ACCEPTED, "reconciled now", ["web"])


def test_the_last_change_is_told() -> None:
    assert ask("/last-change", {"name": "web"})[:2] == (HTTPStatus.OK, '{"message": "by ada"}')
    assert ask("/last-change", {"name": "api"})[:2] == (HTTPStatus.NOT_FOUND, "not declared: api")


def test_a_name_that_is_not_declared_is_named() -> None:
    assert ask("/reconcile", {"names": ["web", "a\nb"]})[:2] == (HTTPStatus.NOT_FOUND, "not declared: a\\nb")


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        pytest.param(
            {"domain": "zone 1", "instances": []}, PickRequest("web", "ada", "zone 1"), id="those of a domain"
        ),
        pytest.param(
            {"instances": ["3", "7"], "domain": None},
            PickRequest("web", "ada", ids=("3", "7")),
            id="two by id",
        ),
        pytest.param(
            {"domain": "3", "trial": True}, PickRequest("web", "ada", "3", is_trial=True), id="only to see"
        ),
    ],
)
def test_a_pick_is_passed_on(body: Any, request_: PickRequest) -> None:
    status, said, asked = ask("/upgrade", {"name": "web", "by": "ada"} | body)
    assert (status, asked.picked) == (HTTPStatus.OK, [request_])
    assert json.loads(said)["instances"] == []


def test_a_pick_that_is_refused_says_why() -> None:
    status, said, _ = ask("/upgrade", {"name": "api", "domain": "3"})
    assert (status, said) == (HTTPStatus.CONFLICT, "no spec in force is named api")


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        pytest.param(JSON, "10.0.0.7", id="another host"),
        pytest.param(JSON, "2001:db8::1", id="another host over IPv6"),
        pytest.param(JSON, "::ffff:10.0.0.7", id="another host in the IPv6 form of its address"),
        pytest.param(JSON | {"x-forwarded-for": "10.0.0.7"}, "127.0.0.1", id="another host through a proxy"),
        pytest.param(
            JSON | {"forwarded": "for=10.0.0.7"}, "127.0.0.1", id="another host through a proxy of RFC 7239"
        ),
        pytest.param(JSON | {"x-forwarded-proto": "https"}, "127.0.0.1", id="a proxy that names the scheme"),
        pytest.param(JSON | {"x-forwarded-email": "eve"}, "127.0.0.1", id="a proxy that names a reader"),
        pytest.param(JSON | {"x-real-ip": "10.0.0.7"}, "127.0.0.1", id="a proxy such as nginx"),
        pytest.param(JSON | {"via": "1.1 proxy"}, "127.0.0.1", id="a proxy of RFC 9110"),
        pytest.param(JSON | {"x-reader": "eve"}, "127.0.0.1", id="the user header of the page"),
        pytest.param(JSON | {"x-groups": "sre"}, "127.0.0.1", id="the groups header of the page"),
        pytest.param(JSON | {"origin": "https://evil.example"}, "127.0.0.1", id="a page in a browser"),
        pytest.param({"content-type": "text/plain"}, "127.0.0.1", id="a form in a browser"),
        pytest.param({}, "127.0.0.1", id="no content type"),
    ],
)
@pytest.mark.parametrize("path", ["/pause", "/resume", "/reconcile", "/upgrade"])
def test_strangers_are_refused(path: str, headers: Headers, peer: str) -> None:
    status, _, asked = ask(path, {"names": ["web"], "name": "web", "domain": "3"}, headers, peer)
    assert (status, asked.paused, asked.reconciled, asked.picked) == (HTTPStatus.FORBIDDEN, [], [], [])


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_same_host_is_served(peer: str) -> None:
    assert ask("/pause", {}, peer=peer)[0] == HTTPStatus.OK


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/pause", b"{", HTTPStatus.BAD_REQUEST, id="no JSON"),
        pytest.param("/pause", b"[" * 100_000, HTTPStatus.BAD_REQUEST, id="too deep"),
        pytest.param("/pause", b"\xff", HTTPStatus.BAD_REQUEST, id="no text"),
        pytest.param("/pause", [], HTTPStatus.BAD_REQUEST, id="a list"),
        pytest.param("/pause", {"reason": 7}, HTTPStatus.BAD_REQUEST, id="a reason that is a number"),
        pytest.param("/pause", {"until": "soon"}, HTTPStatus.BAD_REQUEST, id="an end that is no time"),
        pytest.param(
            "/pause", {"until": "2027-01-02T08:00"}, HTTPStatus.BAD_REQUEST, id="an end without a zone"
        ),
        pytest.param("/reconcile", {"names": "web"}, HTTPStatus.BAD_REQUEST, id="a name instead of a list"),
        pytest.param("/reconcile", {}, HTTPStatus.BAD_REQUEST, id="no names"),
        pytest.param("/upgrade", {"name": "web"}, HTTPStatus.BAD_REQUEST, id="a pick of nothing"),
        pytest.param("/upgrade", {"name": 7, "domain": "3"}, HTTPStatus.BAD_REQUEST, id="a name as a number"),
        pytest.param(
            "/upgrade",
            {"name": "web", "instances": "3"},
            HTTPStatus.BAD_REQUEST,
            id="an id instead of a list",
        ),
        pytest.param(
            "/upgrade",
            {"name": "web", "instances": ["3"], "domain": "3"},
            HTTPStatus.BAD_REQUEST,
            id="a domain and instances",
        ),
        pytest.param("/status", {}, HTTPStatus.NOT_FOUND, id="a page"),
    ],
)
def test_bad_requests_have_no_effect(path: str, body: Any, status: HTTPStatus) -> None:
    found, _, asked = ask(path, body)
    assert (found, asked.paused, asked.reconciled, asked.picked) == (status, [], [], [])
