"""Decides from a response whether a check passes, and why. Pure.

The message never quotes the response. Otherwise the author of a spec could read pages that they cannot
access.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reconciler.checks.answer import Answer
from reconciler.spec.check import Check, HttpCheck, PrometheusCheck
from reconciler.spec.wording import shorten

_KINDS = frozenset({"vector", "matrix", "scalar", "string"})  # result types of Prometheus


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """The result of a check.

    `message` is printed after the name of the endpoint, as in "returned 503, expected 200".
    """

    is_passed: bool
    message: str


def endpoint(check: Check) -> str:
    """The endpoint of a check, for messages."""
    return shorten(check.url if isinstance(check, HttpCheck) else check.server)


def request_url(check: Check) -> str:
    """The URL to request for a check.

    >>> request_url(PrometheusCheck("errors", "http://prometheus:9090/", "errors < 5"))
    'http://prometheus:9090/api/v1/query?query=errors%20%3C%205'
    """
    if isinstance(check, HttpCheck):
        return check.url
    return f"{check.server.rstrip('/')}/api/v1/query?query={quote(check.query, safe='')}"


def verdict(check: Check, answer: Answer) -> CheckVerdict:
    """The verdict on `check` for this response."""
    if isinstance(check, PrometheusCheck):
        return _of_prometheus(check, answer)
    if answer.status == check.status:
        return CheckVerdict(True, f"returned {answer.status}")
    return CheckVerdict(False, f"returned {answer.status}, expected {check.status}")


def _of_prometheus(check: PrometheusCheck, answer: Answer) -> CheckVerdict:
    """The verdict on the response to an instant query, based on data.resultType and data.result."""
    body = _json(answer.body)
    if answer.status != 200 or body.get("status") == "error":
        return CheckVerdict(False, f"returned {answer.status} and no result for {shorten(check.query)}")
    data = body.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind == "vector" and isinstance(result, list):
        if not result:
            return CheckVerdict(False, f"returned no sample for {shorten(check.query)}")
        number = "a sample" if len(result) == 1 else f"{len(result)} samples"
        return CheckVerdict(True, f"returned {number} for {shorten(check.query)}")
    if kind in _KINDS:
        # Only a vector can be left empty by a comparison, so a check with any other result could never fail.
        fix = "write a query that returns an instant vector"
        return CheckVerdict(
            False, f"returned a {kind} for {shorten(check.query)}, not a list of samples: {fix}"
        )
    return CheckVerdict(False, "did not return a query result")


def _json(body: bytes) -> dict[str, Any]:
    """The JSON object in the body, or {} if the body is not a JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
