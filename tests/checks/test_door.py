"""Checks, put to a real server on loopback: what passes, and what is said of all that does not."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.checks.client import Checks
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.spec.check import HttpCheck, PrometheusCheck
from tests.build import NOW
from tests.checks.endpoint import Endpoint, serve_bytes, serve_endpoint

QUERY = "sum(rate(errors[5m])) < 5"
NO_LIST = ", not a list of samples: write a query that returns an instant vector"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve_endpoint() as found:
        yield found


def http(url: str, status: int = 200) -> Gate:
    return Checks(lambda: NOW).gate(HttpCheck("smoke", url, status))


def prometheus(server: str, query: str = QUERY) -> Gate:
    return Checks(lambda: NOW).gate(PrometheusCheck("errors", server, query))


def result(kind: str, found: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": found}}).encode()


@pytest.mark.parametrize(
    ("answered", "wanted", "closed", "said"),
    [
        pytest.param(200, 200, None, "returned 200", id="as expected"),
        pytest.param(204, 204, None, "returned 204", id="as expected, without a body"),
        pytest.param(503, 200, Reason.CHECK_FAILED, "returned 503, expected 200", id="out of order"),
        pytest.param(404, 404, None, "returned 404", id="an error that is expected"),
        pytest.param(401, 200, Reason.CHECK_FAILED, "returned 401, expected 200", id="not let in"),
    ],
)
def test_an_http_check_passes_by_its_status(
    endpoint: Endpoint, answered: int, wanted: int, closed: Reason | None, said: str
) -> None:
    endpoint.status = answered
    found = http(f"{endpoint.url}/healthz?deep=1", wanted)
    assert found == Gate("check smoke", f"check smoke: {endpoint.url}/healthz?deep=1 {said}", closed)
    assert endpoint.asked == ["/healthz?deep=1"]


def test_a_redirect_is_not_followed_and_may_be_what_is_expected(endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 302, {"Location": f"{endpoint.url}/login"}
    found = http(f"{endpoint.url}/healthz")
    assert (found.closed, found.evidence) == (
        Reason.CHECK_FAILED,
        f"check smoke: {endpoint.url}/healthz returned 302, expected 200",
    )
    assert http(f"{endpoint.url}/healthz", 302).closed is None
    assert endpoint.asked == ["/healthz"] * 2


@pytest.mark.parametrize(
    ("status", "body", "closed", "said"),
    [
        pytest.param(
            200,
            result("vector", [{"metric": {}, "value": [1, "0.2"]}]),
            None,
            f"returned a sample for {QUERY}",
            id="a sample",
        ),
        pytest.param(
            200,
            result("vector", [{"value": [1, "0"]}, {"value": [1, "3"]}]),
            None,
            f"returned 2 samples for {QUERY}",
            id="samples",
        ),
        pytest.param(
            200,
            result("vector", [{"histogram": [1, {}]}]),
            None,
            f"returned a sample for {QUERY}",
            id="a histogram for a sample",
        ),
        pytest.param(
            200,
            result("scalar", [1, "1"]),
            Reason.CHECK_FAILED,
            f"returned a scalar for {QUERY}{NO_LIST}",
            id="a scalar, which no comparison makes empty",
        ),
        pytest.param(
            200, result("vector", []), Reason.CHECK_FAILED, f"returned no sample for {QUERY}", id="no sample"
        ),
        pytest.param(
            200,
            result("matrix", [{"values": [[1, "1"]]}]),
            Reason.CHECK_FAILED,
            f"returned a matrix for {QUERY}{NO_LIST}",
            id="a range of samples",
        ),
        pytest.param(
            200,
            result("string", [1, "yes"]),
            Reason.CHECK_FAILED,
            f"returned a string for {QUERY}{NO_LIST}",
            id="a string",
        ),
        pytest.param(
            400,
            b'{"status": "error", "errorType": "bad_data", "error": "1:3: parse error:\\nunexpected <op:/>"}',
            Reason.CHECK_FAILED,
            f"returned 400 and no result for {QUERY}",
            id="a query that makes no sense",
        ),
        pytest.param(
            200,
            b'{"status": "error", "error": "odd"}',
            Reason.CHECK_FAILED,
            f"returned 200 and no result for {QUERY}",
            id="an error all the same",
        ),
        pytest.param(
            503,
            b"<html>",
            Reason.CHECK_FAILED,
            f"returned 503 and no result for {QUERY}",
            id="a page of a proxy",
        ),
        pytest.param(
            200,
            b"<html>login",
            Reason.CHECK_FAILED,
            "did not return a query result",
            id="a page of a login",
        ),
        pytest.param(200, b"[]", Reason.CHECK_FAILED, "did not return a query result", id="a list"),
        pytest.param(200, b"", Reason.CHECK_FAILED, "did not return a query result", id="nothing"),
        pytest.param(200, b"\xff\xfe", Reason.CHECK_FAILED, "did not return a query result", id="no text"),
        pytest.param(
            200, b"[" * 100_000, Reason.CHECK_FAILED, "did not return a query result", id="a deep nest"
        ),
        pytest.param(
            200,
            b'{"status": "success", "data": {"resultType": "vector", "result": {}}}',
            Reason.CHECK_FAILED,
            f"returned a vector for {QUERY}{NO_LIST}",
            id="a vector that is none",
        ),
        pytest.param(
            200,
            b'{"status": "success", "data": []}',
            Reason.CHECK_FAILED,
            "did not return a query result",
            id="no data",
        ),
        pytest.param(
            200,
            b"x" * ((1 << 20) + 1),
            Reason.CHECK_FAILED,
            "returned more than 1048576 bytes",
            id="far too much",
        ),
    ],
)
def test_a_prometheus_check_passes_by_a_sample(
    endpoint: Endpoint, status: int, body: bytes, closed: Reason | None, said: str
) -> None:
    endpoint.status, endpoint.body = status, body
    assert prometheus(endpoint.url) == Gate("check errors", f"check errors: {endpoint.url} {said}", closed)


def test_a_query_is_put_as_it_stands_below_the_path_of_the_server(endpoint: Endpoint) -> None:
    endpoint.body = result("vector", [{"metric": {}, "value": [1, "1"]}])
    prometheus(f"{endpoint.url}/prometheus/", 'a{b="c"} + 1 & 2')
    assert endpoint.asked == ["/prometheus/api/v1/query?query=a%7Bb%3D%22c%22%7D%20%2B%201%20%26%202"]


SECRET = "SECRET"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, SECRET.encode(), id="an error of whatever kind"),
        pytest.param(400, json.dumps({"status": "error", "error": SECRET}).encode(), id="a wrong query"),
        pytest.param(200, json.dumps({"error": SECRET, "errorType": SECRET}).encode(), id="no result"),
        pytest.param(200, result(SECRET, [1, SECRET]), id="an unknown kind of result"),
        pytest.param(200, result("string", [1, SECRET]), id="a string"),
        pytest.param(200, result("vector", [{"value": [1, SECRET]}]), id="a sample"),
    ],
)
def test_nothing_is_said_of_the_body_of_an_answer(endpoint: Endpoint, status: int, body: bytes) -> None:
    endpoint.status, endpoint.body = status, body
    assert SECRET not in prometheus(endpoint.url).evidence
    assert SECRET not in http(endpoint.url).evidence


def test_nothing_is_said_of_an_answer_that_is_no_http() -> None:
    with serve_bytes(f"{SECRET}\r\n\r\n".encode()) as url:
        assert SECRET not in http(url).evidence


def test_where_no_check_is_asked_its_gate_is_open_and_says_so(endpoint: Endpoint) -> None:
    found = Checks(lambda: NOW, asks=False).gate(HttpCheck("smoke", endpoint.url, 200))
    assert found == Gate("check smoke", "check smoke: not asked")
    assert endpoint.asked == []


def closed_port_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param(closed_port_url(), "did not answer: connection refused", id="nobody listens"),
        pytest.param("http://[::1", "did not answer: ", id="no address"),
        pytest.param(f"http://{'a' * 70}.invalid", "did not answer: ", id="a name that is too long"),
        pytest.param(
            closed_port_url().replace("http:", "https:"), "did not answer: connection refused", id="over TLS"
        ),
    ],
)
def test_a_place_that_is_not_there_fails_the_check(url: str, said: str) -> None:
    for found in (http(url), prometheus(url)):
        assert found.closed is Reason.CHECK_FAILED
        assert said in found.evidence


@pytest.mark.parametrize(
    ("spoken", "said"),
    [
        pytest.param(b"", "did not answer with valid HTTP", id="nothing"),
        pytest.param(b"hello\r\n\r\n", "did not answer with valid HTTP", id="something else"),
        pytest.param(
            b"\x15\x03\x01\x00\x02\x02\n\r\n",
            "did not answer with valid HTTP",
            id="the alert of a TLS server",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
            "did not return a query result",
            id="half of it",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
            "did not answer with valid HTTP",
            id="endless headers",
        ),
    ],
)
def test_an_answer_that_is_none_fails_the_check(spoken: bytes, said: str) -> None:
    with serve_bytes(spoken) as url:
        found = prometheus(url)
    assert found.closed is Reason.CHECK_FAILED
    assert said in found.evidence


def test_a_certificate_that_nobody_vouches_for_fails_the_check() -> None:
    from tests.cli.program import azure

    with azure() as world:
        found = http(world.server.url)
    assert found.closed is Reason.CHECK_FAILED
    assert "did not answer: its certificate is not valid: " in found.evidence


@pytest.mark.parametrize(
    "is_dripping", [False, True], ids=["one that hangs", "one that says a byte now and then"]
)
def test_no_check_takes_longer_than_its_time(endpoint: Endpoint, *, is_dripping: bool) -> None:
    checks = Checks(lambda: NOW, timedelta(seconds=1))
    over = threading.Event()

    def speak(wire: Any) -> None:
        try:
            while not over.wait(0.05):
                if is_dripping:
                    wire.write(b" ")
        except OSError:
            pass

    endpoint.body = speak
    before = datetime.now(UTC)
    found = checks.gate(PrometheusCheck("errors", endpoint.url, QUERY))
    took = datetime.now(UTC) - before
    over.set()
    assert found == Gate(
        "check errors", f"check errors: {endpoint.url} did not answer within 1s", Reason.CHECK_FAILED
    )
    assert took < timedelta(seconds=30)


def test_one_answer_serves_a_few_seconds_and_no_longer(endpoint: Endpoint) -> None:
    moment = NOW
    checks = Checks(lambda: moment)
    smoke = HttpCheck("smoke", endpoint.url, 200)
    assert checks.gate(smoke).closed is None
    endpoint.status = 500
    moment += timedelta(seconds=4)
    assert checks.gate(smoke).closed is None
    moment += timedelta(seconds=1)
    assert checks.gate(smoke).closed is Reason.CHECK_FAILED
    assert len(endpoint.asked) == 2
    assert checks.gate(HttpCheck("other", endpoint.url, 500)).closed is None, (
        "another check is asked by itself"
    )


def test_a_check_that_is_put_no_more_is_forgotten(endpoint: Endpoint) -> None:
    moment = NOW
    checks = Checks(lambda: moment)
    edited = HttpCheck("smoke", endpoint.url, 200)
    before = sys.getrefcount(edited)
    checks.gate(edited)
    assert sys.getrefcount(edited) > before
    moment += timedelta(seconds=5)
    checks.gate(HttpCheck("other", endpoint.url, 200))
    assert sys.getrefcount(edited) == before


def test_many_who_ask_at_once_share_one_request(endpoint: Endpoint) -> None:
    checks = Checks(lambda: NOW)
    threads = [
        threading.Thread(target=checks.gate, args=(HttpCheck("smoke", endpoint.url, 200),)) for _ in range(10)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(endpoint.asked) == 1
