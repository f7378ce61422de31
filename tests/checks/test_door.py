"""Checks against a real server on loopback: what passes, and the message for everything else."""

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
from tests.checks.endpoint import HERE, Endpoint, serve_bytes, serve_endpoint

QUERY = "sum(rate(errors[5m])) < 5"
NO_LIST = ", not a list of samples: write a query that returns an instant vector"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve_endpoint() as found:
        yield found


def http(url: str, status: int = 200) -> Gate:
    return Checks(lambda: NOW, HERE).gate(HttpCheck("smoke", url, status))


def prometheus(server: str, query: str = QUERY) -> Gate:
    return Checks(lambda: NOW, HERE).gate(PrometheusCheck("errors", server, query))


def result(kind: str, found: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": found}}).encode()


@pytest.mark.parametrize(
    ("answered", "wanted", "closed", "message"),
    [
        pytest.param(200, 200, None, "returned 200", id="the expected status 200"),
        pytest.param(204, 204, None, "returned 204", id="the expected status 204 without a body"),
        pytest.param(503, 200, Reason.CHECK_FAILED, "returned 503, expected 200", id="the status 503"),
        pytest.param(404, 404, None, "returned 404", id="the expected status 404"),
        pytest.param(401, 200, Reason.CHECK_FAILED, "returned 401, expected 200", id="the status 401"),
    ],
)
def test_an_http_check_passes_by_its_status(
    endpoint: Endpoint, answered: int, wanted: int, closed: Reason | None, message: str
) -> None:
    endpoint.status = answered
    found = http(f"{endpoint.url}/healthz?deep=1", wanted)
    assert found == Gate("check smoke", f"check smoke ({endpoint.url}/healthz?deep=1) {message}", closed)
    assert endpoint.asked == ["/healthz?deep=1"]


def test_a_redirect_is_not_followed_and_can_be_the_expected_status(endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 302, {"Location": f"{endpoint.url}/login"}
    found = http(f"{endpoint.url}/healthz")
    assert (found.closed, found.evidence) == (
        Reason.CHECK_FAILED,
        f"check smoke ({endpoint.url}/healthz) returned 302, expected 200",
    )
    assert http(f"{endpoint.url}/healthz", 302).closed is None
    assert endpoint.asked == ["/healthz"] * 2


@pytest.mark.parametrize(
    ("status", "body", "closed", "message"),
    [
        pytest.param(
            200,
            result("vector", [{"metric": {}, "value": [1, "0.2"]}]),
            None,
            f"returned a sample for {QUERY}",
            id="a vector with one sample",
        ),
        pytest.param(
            200,
            result("vector", [{"value": [1, "0"]}, {"value": [1, "3"]}]),
            None,
            f"returned 2 samples for {QUERY}",
            id="a vector with two samples",
        ),
        pytest.param(
            200,
            result("vector", [{"histogram": [1, {}]}]),
            None,
            f"returned a sample for {QUERY}",
            id="a vector with a histogram",
        ),
        pytest.param(
            200,
            result("scalar", [1, "1"]),
            Reason.CHECK_FAILED,
            f"returned a scalar for {QUERY}{NO_LIST}",
            id="a scalar, which is never empty",
        ),
        pytest.param(
            200,
            result("vector", []),
            Reason.CHECK_FAILED,
            f"returned no sample for {QUERY}",
            id="an empty vector",
        ),
        pytest.param(
            200,
            result("matrix", [{"values": [[1, "1"]]}]),
            Reason.CHECK_FAILED,
            f"returned a matrix for {QUERY}{NO_LIST}",
            id="a matrix",
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
            id="a query with a syntax error",
        ),
        pytest.param(
            200,
            b'{"status": "error", "error": "odd"}',
            Reason.CHECK_FAILED,
            f"returned 200 and no result for {QUERY}",
            id="an error with the status 200",
        ),
        pytest.param(
            503,
            b"<html>",
            Reason.CHECK_FAILED,
            f"returned 503 and no result for {QUERY}",
            id="an HTML page of a proxy",
        ),
        pytest.param(
            200,
            b"<html>login",
            Reason.CHECK_FAILED,
            "did not return a query result",
            id="an HTML login page",
        ),
        pytest.param(200, b"[]", Reason.CHECK_FAILED, "did not return a query result", id="a JSON list"),
        pytest.param(200, b"", Reason.CHECK_FAILED, "did not return a query result", id="an empty body"),
        pytest.param(
            200,
            b"\xff\xfe",
            Reason.CHECK_FAILED,
            "did not return a query result",
            id="a body that is not UTF-8",
        ),
        pytest.param(
            200, b"[" * 100_000, Reason.CHECK_FAILED, "did not return a query result", id="deeply nested JSON"
        ),
        pytest.param(
            200,
            b'{"status": "success", "data": {"resultType": "vector", "result": {}}}',
            Reason.CHECK_FAILED,
            f"returned a vector for {QUERY}{NO_LIST}",
            id="a vector without a list",
        ),
        pytest.param(
            200,
            b'{"status": "success", "data": []}',
            Reason.CHECK_FAILED,
            "did not return a query result",
            id="a result without data",
        ),
        pytest.param(
            200,
            b"x" * ((1 << 20) + 1),
            Reason.CHECK_FAILED,
            "returned more than 1048576 bytes",
            id="a body over the limit",
        ),
    ],
)
def test_a_prometheus_check_passes_by_a_sample(
    endpoint: Endpoint, status: int, body: bytes, closed: Reason | None, message: str
) -> None:
    endpoint.status, endpoint.body = status, body
    assert prometheus(endpoint.url) == Gate(
        "check errors", f"check errors ({endpoint.url}) {message}", closed
    )


def test_a_query_is_sent_unchanged_below_the_path_of_the_server(endpoint: Endpoint) -> None:
    endpoint.body = result("vector", [{"metric": {}, "value": [1, "1"]}])
    prometheus(f"{endpoint.url}/prometheus/", 'a{b="c"} + 1 & 2')
    assert endpoint.asked == ["/prometheus/api/v1/query?query=a%7Bb%3D%22c%22%7D%20%2B%201%20%26%202"]


SECRET = "SECRET"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, SECRET.encode(), id="an error with a plain body"),
        pytest.param(
            400, json.dumps({"status": "error", "error": SECRET}).encode(), id="an error of Prometheus"
        ),
        pytest.param(
            200,
            json.dumps({"error": SECRET, "errorType": SECRET}).encode(),
            id="a result without data and with an error",
        ),
        pytest.param(200, result(SECRET, [1, SECRET]), id="an unknown result type"),
        pytest.param(200, result("string", [1, SECRET]), id="a string"),
        pytest.param(200, result("vector", [{"value": [1, SECRET]}]), id="a vector with one sample"),
    ],
)
def test_nothing_is_said_of_the_body_of_an_answer(endpoint: Endpoint, status: int, body: bytes) -> None:
    endpoint.status, endpoint.body = status, body
    assert SECRET not in prometheus(endpoint.url).evidence
    assert SECRET not in http(endpoint.url).evidence


def test_an_invalid_http_response_is_not_quoted() -> None:
    with serve_bytes(f"{SECRET}\r\n\r\n".encode()) as url:
        assert SECRET not in http(url).evidence


def test_a_check_that_is_not_asked_has_an_open_gate(endpoint: Endpoint) -> None:
    found = Checks(lambda: NOW, None).gate(HttpCheck("smoke", endpoint.url, 200))
    assert found == Gate("check smoke", "check smoke is not called")
    assert endpoint.asked == []


def closed_port_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param(closed_port_url(), "did not answer: connection refused", id="a closed port"),
        pytest.param("http://[::1", "did not answer: ", id="an invalid host"),
        pytest.param(f"http://{'a' * 70}.invalid", "did not answer: ", id="a host name that is too long"),
        pytest.param(
            closed_port_url().replace("http:", "https:"),
            "did not answer: connection refused",
            id="a closed port with TLS",
        ),
    ],
)
def test_a_place_that_is_not_there_fails_the_check(url: str, message: str) -> None:
    for found in (http(url), prometheus(url)):
        assert found.closed is Reason.CHECK_FAILED
        assert message in found.evidence


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        pytest.param(b"", "did not answer with valid HTTP", id="an empty response"),
        pytest.param(b"hello\r\n\r\n", "did not answer with valid HTTP", id="a response that is not HTTP"),
        pytest.param(
            b"\x15\x03\x01\x00\x02\x02\n\r\n",
            "did not answer with valid HTTP",
            id="the alert of a TLS server",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
            "did not return a query result",
            id="a truncated body",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
            "did not answer with valid HTTP",
            id="endless headers",
        ),
    ],
)
def test_an_invalid_response_fails_the_check(sent: bytes, message: str) -> None:
    with serve_bytes(sent) as url:
        found = prometheus(url)
    assert found.closed is Reason.CHECK_FAILED
    assert message in found.evidence


def test_an_untrusted_certificate_fails_the_check() -> None:
    from tests.cli.program import azure

    with azure() as world:
        found = http(world.server.url)
    assert found.closed is Reason.CHECK_FAILED
    assert "did not answer: its certificate is not valid: " in found.evidence


@pytest.mark.parametrize(
    "is_dripping", [False, True], ids=["a server that hangs", "a server that sends single bytes"]
)
def test_no_check_takes_longer_than_its_time(endpoint: Endpoint, *, is_dripping: bool) -> None:
    checks = Checks(lambda: NOW, HERE, timedelta(seconds=1))
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
        "check errors", f"check errors ({endpoint.url}) did not answer within 1s", Reason.CHECK_FAILED
    )
    assert took < timedelta(seconds=30)


def test_a_result_is_cached_for_five_seconds(endpoint: Endpoint) -> None:
    moment = NOW
    checks = Checks(lambda: moment, HERE)
    smoke = HttpCheck("smoke", endpoint.url, 200)
    assert checks.gate(smoke).closed is None
    endpoint.status = 500
    moment += timedelta(seconds=4)
    assert checks.gate(smoke).closed is None
    moment += timedelta(seconds=1)
    assert checks.gate(smoke).closed is Reason.CHECK_FAILED
    assert len(endpoint.asked) == 2
    assert checks.gate(HttpCheck("other", endpoint.url, 500)).closed is None, (
        "another check has a request of its own"
    )


def test_an_edited_check_is_removed_from_the_cache(endpoint: Endpoint) -> None:
    moment = NOW
    checks = Checks(lambda: moment, HERE)
    edited = HttpCheck("smoke", endpoint.url, 200)
    before = sys.getrefcount(edited)
    checks.gate(edited)
    assert sys.getrefcount(edited) > before
    moment += timedelta(seconds=5)
    checks.gate(HttpCheck("other", endpoint.url, 200))
    assert sys.getrefcount(edited) == before


def test_concurrent_calls_share_one_request(endpoint: Endpoint) -> None:
    checks = Checks(lambda: NOW, HERE)
    threads = [
        threading.Thread(target=checks.gate, args=(HttpCheck("smoke", endpoint.url, 200),)) for _ in range(10)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(endpoint.asked) == 1
