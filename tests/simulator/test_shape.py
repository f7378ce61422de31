"""Invalid bodies: rejected with a 400 whatever is wrong with them, without any change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from reconciler.simulator.shape import SHAPE
from tests.simulator.azure import SET, Azure

NONSENSE: tuple[Any, ...] = (
    None,
    0,
    5,
    -1,
    1.5,
    "x",
    "",
    True,
    [],
    {},
    [None],
    [5],
    [{}],
    {"a": 1},
    {"id": 5},
)
NEW_SET: Mapping[str, Any] = {
    "sku": {"name": "Standard_D2s_v5", "capacity": 1},
    "properties": {
        "virtualMachineProfile": {
            "storageProfile": {
                "imageReference": {
                    "publisher": "Canonical",
                    "offer": "ubuntu-24_04-lts",
                    "sku": "server",
                    "version": "latest",
                }
            }
        }
    },
}


def places(shape: Any = SHAPE, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every path in the body that has a shape, down to the lists."""
    if path:
        yield path
    if isinstance(shape, dict):
        for name, part in shape.items():
            yield from places(part, (*path, name.removesuffix("!")))


def at(path: tuple[str, ...], value: Any, base: Any) -> Any:
    """Return `base` with `value` at this path."""
    if not path:
        return value
    inner = base.get(path[0]) if isinstance(base, Mapping) else None
    return {**(base or {}), path[0]: at(path[1:], value, inner)}


@pytest.mark.parametrize(
    "method, name, base",
    [("PATCH", "web", {}), ("PUT", "web", {}), ("PUT", "new", NEW_SET)],
    ids=["a patch", "a put", "a new scale set"],
)
@pytest.mark.parametrize("path", list(places()), ids="/".join)
def test_invalid_requests_get_a_response(
    azure: Azure, method: str, name: str, base: Any, path: tuple[str, ...]
) -> None:
    for value in NONSENSE:
        body = json.dumps(at(path, value, base)).encode()
        answer = azure.ask(method, SET[: -len("web")] + name, body)
        assert answer.status in (200, 201, 400, 404, 409), value
        azure.wait(60)
        listed = azure.ask("GET", f"{SET[: -len('web')]}{name}/virtualMachines?$expand=instanceView")
        assert listed.status in (200, 404)


@pytest.mark.parametrize(
    "change, message, target",
    [
        pytest.param(
            {"properties": {"virtualMachineProfile": 5}},
            "Error converting value 5. Path 'properties.virtualMachineProfile'.",
            "vmss.properties.virtualMachineProfile",
            id="a number instead of an object",
        ),
        pytest.param(
            {"sku": {"capacity": "many"}},
            "Error converting value 'many'. Path 'sku.capacity'.",
            "vmss.sku.capacity",
            id="a word instead of a number",
        ),
        pytest.param(
            {"sku": {"capacity": True}},
            "Error converting value True. Path 'sku.capacity'.",
            "vmss.sku.capacity",
            id="a boolean instead of a number",
        ),
        pytest.param(
            {"zones": ["1", 2]},
            "Error converting value 2. Path 'zones[1]'.",
            "vmss.zones[1]",
            id="an entry of a list",
        ),
        pytest.param(
            {"sku": {"name": None}},
            "Required parameter 'name' is missing (null).",
            "name",
            id="a missing part",
        ),
        pytest.param(
            {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": [{"name": "a"}]}}}},
            "Required parameter 'properties' is missing (null).",
            "properties",
            id="an incomplete extension",
        ),
    ],
)
def test_the_error_names_the_invalid_part(azure: Azure, change: Any, message: str, target: str) -> None:
    before = azure.ask("GET", "").body
    answer = azure.ask("PATCH", "", json.dumps(change).encode())
    error = answer.json()["error"]
    assert (answer.status, error["message"], error["target"]) == (400, message, target)
    assert azure.ask("GET", "").body == before


def test_a_number_may_be_written_as_text(azure: Azure) -> None:
    answer = azure.ask("PATCH", "", json.dumps({"sku": {"capacity": "21"}}).encode())
    assert (answer.status, answer.json()["sku"]["capacity"]) == (200, 21)
    assert azure.ask("PATCH", "", json.dumps({"sku": {"capacity": "many"}}).encode()).status == 400
