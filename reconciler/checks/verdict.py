"""What an answer says of a check: whether it passes, and why, in a few words. Pure.

None of them is the answer's own: whoever may write a spec could have read what they may not ask for.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reconciler.checks.answer import Answer
from reconciler.spec.check import Check, HttpCheck, PrometheusCheck
from reconciler.spec.wording import shorten

_KINDS = frozenset({"vector", "matrix", "scalar", "string"})  # of results, as Prometheus has them


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """`message` goes on where the name of the place ends: "answers 503, and 200 passes"."""

    is_passed: bool
    message: str


def endpoint(check: Check) -> str:
    """Who is asked, for people."""
    return shorten(check.url if isinstance(check, HttpCheck) else check.server)


def request_url(check: Check) -> str:
    """What is asked.

    >>> request_url(PrometheusCheck("errors", "http://prometheus:9090/", "errors < 5"))
    'http://prometheus:9090/api/v1/query?query=errors%20%3C%205'
    """
    if isinstance(check, HttpCheck):
        return check.url
    return f"{check.server.rstrip('/')}/api/v1/query?query={quote(check.query, safe='')}"


def verdict(check: Check, answer: Answer) -> CheckVerdict:
    """Whether `check` passes by what was answered."""
    if isinstance(check, PrometheusCheck):
        return _of_prometheus(check, answer)
    if answer.status == check.status:
        return CheckVerdict(True, f"answers {answer.status}")
    return CheckVerdict(False, f"answers {answer.status}, and {check.status} passes")


def _of_prometheus(check: PrometheusCheck, answer: Answer) -> CheckVerdict:
    """By "data.resultType" and "data.result" of an instant query."""
    body = _json(answer.body)
    if answer.status != 200 or body.get("status") == "error":
        return CheckVerdict(
            False, f"answers {answer.status}, and not with a result of {shorten(check.query)}"
        )
    data = body.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind == "vector" and isinstance(result, list):
        if not result:
            return CheckVerdict(False, f"gives no sample for {shorten(check.query)}")
        number = "a sample" if len(result) == 1 else f"{len(result)} samples"
        return CheckVerdict(True, f"gives {number} for {shorten(check.query)}")
    if kind in _KINDS:
        wrong = f"gives a {kind} for {shorten(check.query)}"
        return CheckVerdict(
            False, f"{wrong}, and only a vector can pass: a comparison leaves nothing else empty"
        )
    return CheckVerdict(False, "answers with no result of a query")


def _json(body: bytes) -> dict[str, Any]:
    """The object that is sent; empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
