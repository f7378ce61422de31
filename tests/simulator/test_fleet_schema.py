"""The schema of fleet files: complete for editors, consistent with the code, and shown by its page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.simulator import Simulator, VirtualClock
from reconciler.simulator.cloud import PAGE, Cloud
from reconciler.simulator.declared import schema, shape_errors, time, with_defaults
from reconciler.simulator.timings import Timings
from tests.schema_parts import parts

ROOT = Path(__file__).parents[2]
PAGE_TEXT = (ROOT / "docs" / "fleet.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE_TEXT, re.MULTILINE | re.DOTALL)


PARTS = [pytest.param(part, id=name) for name, part in parts(schema(), "fleet") if set(part) != {"$ref"}]


@pytest.mark.parametrize("part", PARTS)
def test_every_field_has_a_title_a_description_and_examples_that_fit(part: dict[str, Any]) -> None:
    assert part["title"]
    assert part["description"].endswith(".")
    assert part["examples"]
    validator = Draft202012Validator({**part, "$defs": schema()["$defs"]})
    for example in part["examples"]:
        validator.validate(example)
    if "default" in part:
        validator.validate(part["default"])


def test_the_defaults_of_the_schema_are_those_of_a_cloud_without_a_fleet() -> None:
    fleet, bare = with_defaults({}), Cloud(VirtualClock())
    assert {name: time(value) for name, value in fleet["timings"].items()} == asdict(Timings())
    assert (fleet["page"], fleet["throttling"], fleet["location"]) == (PAGE, False, bare.catalogue.location)
    assert tuple(fleet["fixedImageFields"]) == bare.fixed_image_fields
    assert fleet["provisioningStateDuringUpgrade"] == bare.provisioning_state_during_upgrade
    assert fleet["flexibleRowProperties"] == bare.flexible_row_properties


@pytest.mark.parametrize(
    "text",
    [
        pytest.param((ROOT / "demo" / "fleet.yaml").read_text(), id="the demo"),
        *(pytest.param(block, id=f"block {number}") for number, block in enumerate(BLOCKS, 1)),
    ],
)
def test_a_file_in_the_documentation_is_valid(text: str) -> None:
    described = yaml.safe_load(text)
    assert shape_errors(described) == []
    Simulator.load(described, VirtualClock())


def fields(value: Any, part: dict[str, Any], place: str = "") -> Iterator[str]:
    """Yield the fields of the schema that occur in a value, those of a shared definition by its name."""
    if "$ref" in part:
        place = part["$ref"].rpartition("/")[2]
        part = schema()["$defs"][place]
    if isinstance(value, list):
        for each in value:
            yield from fields(each, part["items"], place)
    if isinstance(value, dict):
        for name, below in value.items():
            if name in part.get("properties", {}):
                yield f"{place}.{name}"
                yield from fields(below, part["properties"][name], f"{place}.{name}")


def schema_fields(part: dict[str, Any], place: str = "") -> Iterator[str]:
    for name, below in part.get("properties", {}).items():
        yield f"{place}.{name}"
        if "$ref" not in below:
            yield from schema_fields(below.get("items", below), f"{place}.{name}")


def test_the_page_has_an_example_of_every_field() -> None:
    shown = {field for block in BLOCKS for field in fields(yaml.safe_load(block), schema())}
    there = set(schema_fields(schema()))
    for name, part in schema()["$defs"].items():
        there |= set(schema_fields(part, name))
    assert sorted(there - shown) == []


def test_the_page_describes_every_value_of_boots() -> None:
    boots = schema()["$defs"]["imageDetails"]["properties"]["boots"]["enum"]
    assert re.findall(r"^\| `(\w+)` \|", PAGE_TEXT, re.MULTILINE)[1:] == boots


BASE = {"name": "web", "capacity": 9, "image": "a:b:c:1", "health": "extension"}
DEFS = schema()["$defs"]
# The location in a fleet of a value of each shared definition.
UNCOUNTED = {name: value for name, value in BASE.items() if name != "capacity"}
HOLDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "scaleSet": lambda said: {"scaleSets": [{**(UNCOUNTED if "instances" in said else BASE), **said}]},
    "instanceState": lambda said: {"scaleSets": [{**BASE, "instanceStates": [{"id": "3", **said}]}]},
    "imageDetails": lambda said: {"images": {"details": [{"image": "a:b:c:1", **said}]}},
    "fault": lambda said: {
        "scaleSets": [BASE],
        "faults": [{"operation": "*", "fault": {"reset": {}}, **said}],
    },
    "event": lambda said: {
        "scaleSets": [BASE],
        "events": [{"after": "1m", "event": {"withdraw": "a:b:c:1"}, **said}],
    },
    "": lambda said: {"scaleSets": [BASE], **said},
}
# Examples that need another field besides.
NEEDY: dict[str, dict[str, Any]] = {
    "scaleSet.virtualMachineProfile": {"orchestration": "Flexible"},
    "scaleSet.attached": {"orchestration": "Flexible"},
    "scaleSet.instances": {"protected": ["3"]},
    "scaleSet.evictionPolicy": {"spot": True},
    "scaleSet.evictedPowerState": {"spot": True},
    "scaleSet.spotRestore": {"spot": True},
    "imageDetails.excludeFromLatest": {"image": "/sharedGalleries/g/images/i/versions/1.0.0"},
}


@pytest.mark.parametrize(
    "holder, name, example",
    [
        pytest.param(holder, name, example, id=f"{holder or 'fleet'}.{name} {number}")
        for holder in HOLDERS
        for name, part in (DEFS[holder] if holder else schema())["properties"].items()
        for number, example in enumerate(part.get("examples", ()), 1)
    ],
)
def test_every_example_of_the_schema_can_be_served(holder: str, name: str, example: Any) -> None:
    said = {**NEEDY.get(f"{holder}.{name}", {}), name: example}
    clock = VirtualClock()
    Simulator.load(HOLDERS[holder](said), clock)
    clock.advance(timedelta(hours=2))
