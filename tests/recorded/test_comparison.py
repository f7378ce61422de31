"""What counts as a difference between a recorded response and the simulator's."""

from typing import Any

import pytest

from tests.recorded.comparison import compare

ID = "/subscriptions/S/resourceGroups/{}/providers/Microsoft.Compute/disks/{}"


@pytest.mark.parametrize(
    "recorded, found, differences",
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="equal responses"),
        pytest.param({"a": 1}, {"a": 2}, ["changed .a"], id="a different value"),
        pytest.param({"a": True}, {"a": 1}, ["changed .a"], id="a value of another type"),
        pytest.param({"a": 1}, {}, ["missing .a"], id="a missing field"),
        pytest.param({}, {"a": 1}, ["added .a"], id="an unrecorded field"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, ["missing .a[]"], id="a shorter list"),
        pytest.param({"name": "a"}, {"name": "b"}, [], id="different names"),
        pytest.param({"name": "a"}, {"name": 1}, ["changed .name"], id="a name that is not text"),
        pytest.param({"a": ID.format("g", "x")}, {"a": ID.format("h", "y")}, [], id="ids of one type"),
        pytest.param({"a": ID.format("g", "x")}, {"a": ID.format("g", "x").replace("disks", "images")}, ["changed .a"], id="ids of two types"),
        pytest.param({"a": "2024-08-26T09:00:41.9+00:00"}, {"a": "2026-01-05T09:00:00+00:00"}, [], id="different times"),
        pytest.param({"a": "2024-08-26T09:00:41.9+00:00"}, {"a": "soon"}, ["changed .a"], id="a time and a text"),
        pytest.param({"etag": '"4"'}, {"etag": '"2"'}, [], id="different etags"),
        pytest.param({"/Id/A": {"x": 1}}, {"/id/a": {"x": 1}}, [], id="ids as keys, in any casing"),
        pytest.param(
            [{"id": "/r/1", "properties": {"a": 1}}, {"id": "/r/2", "properties": {"a": 2}}],
            [{"id": "/r/2", "properties": {"a": 2}}, {"id": "/r/1", "properties": {"a": 1}}],
            [],
            id="resources in another order",
        ),
        pytest.param({"osDiskImage": {"sizeInGb": 31}}, {"osDiskImage": {"sizeInGb": 30}}, [], id="the size of an image"),
        pytest.param({"features": [1]}, {}, [], id="the features of an image"),
    ],
)  # fmt: skip
def test_two_responses_are_compared(recorded: Any, found: Any, differences: list[str]) -> None:
    assert [str(each) for each in compare(recorded, found)] == differences
