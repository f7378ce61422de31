"""Answers of Azure with any header and any text are read, ignored or malformed, and every message is one line."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.grammar import ODD, paths
from tests.fuzz.properties import check_answer, check_failure, check_headers, check_time
from tests.fuzz.targets import ERROR, INSTANCE, SCALE_SET

TEXTS = st.sampled_from([each for each in ODD if isinstance(each, str)]) | st.text(max_size=30)
VALUES = st.sampled_from(ODD) | st.text(max_size=8)
DATES = st.lists(
    st.sampled_from(["Mon, ", "05", " Jan ", "Jan", " 2026 ", "09:00:00", " GMT", "-0000", "+9999", " ", ",", ":", "-", "9" * 5000, "²", "0", "1", "99", "\x00", "(", ")"]),
    max_size=10,
).map("".join)  # fmt: skip
COUNTS = st.lists(
    st.sampled_from(["Microsoft.Compute/", "GetVMScaleSetResource", ";", ",", "35", "-1", "9" * 9, "9" * 5000, "²", "/", " "]), max_size=10
).map("".join)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """A document with up to three values replaced or removed."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = paths(found)
        if not places:
            break
        at = draw(st.sampled_from(places))
        above = found
        for step in at[:-1]:
            above = above[step]
        if draw(st.booleans()):
            above[at[-1]] = copy.deepcopy(draw(VALUES))
        else:
            del above[at[-1]]
    return found


@settings(max_examples=60)
@pytest.mark.parametrize("document", [SCALE_SET, INSTANCE, {"status": "Failed", **ERROR}], ids=["scale set", "instance", "operation"])  # fmt: skip
@given(data=st.data())
def test_an_answer_is_read_or_malformed(document: Any, data: st.DataObject) -> None:
    check_answer(data.draw(changed(document)))


@settings(max_examples=100)
@given(
    status=st.sampled_from([200, 400, 401, 403, 404, 408, 409, 412, 429, 500, 503]),
    after=TEXTS
    | st.sampled_from(["30", "0", "99999", "1e3", " 30", "30, 60", "Mon, 05 Jan 2026 09:00:00 GMT"]),
    error=changed(ERROR),
)
def test_an_error_is_one_line_and_waits_no_longer_than_a_day(status: int, after: str, error: Any) -> None:
    check_failure(status, {"Retry-After": after}, json.dumps(error).encode("utf-8", "surrogatepass"))


@given(status=st.sampled_from([404, 409, 429, 500]), body=st.binary(max_size=80))
def test_an_error_of_any_bytes_is_one_line(status: int, body: bytes) -> None:
    check_failure(status, {}, body)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"error": ' * 20_000, b'{"error": {"code": "x", "details": [' * 5000, b'{"error": {"code": ' + b"9" * 5000 + b"}}"], ids=["lists", "errors", "details", "digits"])  # fmt: skip
def test_an_error_of_extreme_json_is_one_line(body: bytes) -> None:
    closed = body + b"]}}" * body.count(b"details")
    check_failure(409, {}, closed)


@settings(max_examples=200)
@given(date=DATES | TEXTS, compute=COUNTS | TEXTS, reads=COUNTS)
def test_any_headers_change_the_clock_and_the_budget_within_bounds(
    date: str, compute: str, reads: str
) -> None:
    names = ("Date", "x-ms-ratelimit-remaining-resource", "x-ms-ratelimit-remaining-subscription-reads")
    check_headers(dict(zip(names, (date, compute, reads), strict=True)))


@given(TEXTS | st.lists(st.sampled_from(["2026", "-01", "-05", "T", "09", ":00", ".123", "Z", "+00:00", "-99", "W", "²", "9" * 50]), max_size=9).map("".join))  # fmt: skip
def test_any_time_is_read_or_ignored(text: str) -> None:
    check_time(text)
