"""The matcher of the conformance tests finds differences."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.simulator.likeness import differences


@pytest.mark.parametrize(
    "shape, found, complaints",
    [
        pytest.param({"a": int, "b": re.compile("x+")}, {"a": 1, "b": "xx"}, [], id="an equal value"),
        pytest.param(
            {"a": int}, {"a": True}, [".a: True is not <class 'int'>"], id="a boolean is not a number"
        ),
        pytest.param({"a": 1}, {"a": True}, [".a: True is not 1"], id="true is not equal to 1"),
        pytest.param({"a": str}, {}, [".a is missing"], id="a missing field"),
        pytest.param({"a?": str}, {}, [], id="a missing optional field"),
        pytest.param({}, {"a": 1}, [".a is there: 1"], id="an additional field"),
        pytest.param([str], ["a", 2], ["[1]: 2 is not <class 'str'>"], id="a list entry of another type"),
        pytest.param([str], [], [": 0 entries, not 1"], id="an empty list"),
        pytest.param([1, 2], [1], [": 1 entries, not 2"], id="a list that is too short"),
        pytest.param({"a": {}}, {"a": []}, [".a: [] is not {}"], id="a list instead of a mapping"),
        pytest.param({"a": ...}, {"a": None}, [], id="a value that matches anything"),
        pytest.param(
            {"a": re.compile("x")},
            {"a": "xy"},
            [".a: 'xy' is not re.compile('x')"],
            id="a text longer than its pattern",
        ),
    ],
)
def test_differences_have_location_and_kind(shape: Any, found: Any, complaints: list[str]) -> None:
    assert differences(shape, found) == complaints
