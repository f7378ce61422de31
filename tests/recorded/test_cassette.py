"""Cassettes as they are stored on disk."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.recorded.cassette import read_cassettes


def entry(number: int, query: Any = "api-version=2024-07-01", **more: Any) -> dict[str, Any]:
    request = {"method": "GET", "path": "/subscriptions/S", "query": query, "body": None}
    return {
        "n": number,
        "request": request,
        "response": {"status": 200, "headers": {"ETag": '"1"'}, "body": {}},
        **more,
    }


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("$expand=instanceView&api-version=2024-07-01", id="a query that is text"),
        pytest.param(
            {"$expand": "instanceView", "api-version": "2024-07-01"}, id="a query that is a mapping"
        ),
    ],
)
def test_an_interaction_is_read_completely(tmp_path: Path, query: Any) -> None:
    (tmp_path / "one.json").write_text(json.dumps([entry(7, query)]))
    (cassette,) = read_cassettes(tmp_path)
    (interaction,) = cassette.interactions
    assert (cassette.name, interaction.number, interaction.status) == ("one", 7, 200)
    assert interaction.query == {"$expand": "instanceView", "api-version": "2024-07-01"}
    assert interaction.headers == {"etag": '"1"'}


def test_entries_of_several_cassettes_are_separated_and_bare_resources_omitted(tmp_path: Path) -> None:
    entries = [entry(1, cassette="a"), entry(1, cassette="b"), entry(2, cassette="a"), {"name": "web"}]
    (tmp_path / "several.json").write_text(json.dumps(entries))
    found = [(each.name, [one.number for one in each.interactions]) for each in read_cassettes(tmp_path)]
    assert found == [("a", [1, 2]), ("b", [1])]
