"""The matcher of the conformance tests must be able to find fault."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.simulator.likeness import differences


@pytest.mark.parametrize(
    "shape, found, complaints",
    [
        pytest.param({"a": int, "b": re.compile("x+")}, {"a": 1, "b": "xx"}, [], id="all as it should be"),
        pytest.param({"a": int}, {"a": True}, [".a: True is not <class 'int'>"], id="a truth is no number"),
        pytest.param({"a": 1}, {"a": True}, [".a: True is not 1"], id="nor equal to one"),
        pytest.param({"a": str}, {}, [".a is missing"], id="a field is missing"),
        pytest.param({"a?": str}, {}, [], id="a field that may be missing"),
        pytest.param({}, {"a": 1}, [".a is there: 1"], id="a field too many"),
        pytest.param([str], ["a", 2], ["[1]: 2 is not <class 'str'>"], id="an entry of another kind"),
        pytest.param([str], [], [": 0 entries, not 1"], id="no entries"),
        pytest.param([1, 2], [1], [": 1 entries, not 2"], id="an entry too few"),
        pytest.param({"a": {}}, {"a": []}, [".a: [] is not {}"], id="a list for a mapping"),
        pytest.param({"a": ...}, {"a": None}, [], id="anything"),
        pytest.param(
            {"a": re.compile("x")}, {"a": "xy"}, [".a: 'xy' is not re.compile('x')"], id="more text"
        ),
    ],
)
def test_it_says_where_and_what(shape: Any, found: Any, complaints: list[str]) -> None:
    assert differences(shape, found) == complaints
