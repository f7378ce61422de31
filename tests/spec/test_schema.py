"""The schema: complete for editors, and consistent with the code."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.spec.duration import format_duration, parse_duration
from reconciler.spec.field import EACH, Field
from reconciler.spec.rules import broken_rule
from reconciler.spec.scale_set import Approval, Approver, By, Converge, OnFailure
from reconciler.spec.shape import API_VERSION, KINDS, fields, schema, schema_path
from reconciler.spec.window import Kind
from tests.schema_parts import parts

ROOT = Path(__file__).parents[2]


PARTS = [pytest.param(part, id=name) for name, part in parts(schema(), "schema") if set(part) != {"$ref"}]


@pytest.mark.parametrize("part", PARTS)
def test_every_field_has_a_title_a_description_and_examples_that_fit(part: dict[str, Any]) -> None:
    assert part["title"]
    assert part["description"].endswith((".", "/versions/1.2.3", "/Versions/1.2.3", "/images/I", "PT5M."))
    validator = Draft202012Validator({**part, "$defs": schema()["$defs"]})
    for example in part["examples"]:
        validator.validate(example)
    if "default" in part:
        validator.validate(part["default"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_optional_field_has_a_default(kind: str) -> None:
    required = {
        (*field, name)
        for field, part in {(): schema()["$defs"][kind], **fields(kind)}.items()
        for name in part.get("required", ())
    }
    one_of = {field for field in fields(kind) if "maxProperties" in fields(kind).get(field[:-1], {})}
    items = {field for field in fields(kind) if field[-1] == EACH}
    # Optional fields without a default.
    without_default = {
        ("spec", "suspend", "by"),
        ("spec", "suspend", "until"),
        ("spec", "freeze", "by"),
        ("spec", "freeze", "until"),
        ("spec", "pauseTag"),
        ("spec", "urgent"),
        ("spec", "urgent", "by"),
        ("spec", "rollout", "policy"),
        ("spec", "tenants", EACH, "requires", "approval"),
        ("spec", "tenants", EACH, "requires", "policy"),
    } | {
        (*rollout, *field)
        for rollout in (("spec", "rollout"), ("spec",))
        for field in (
            ("canary",),
            ("deadline",),
            ("approval",),
            ("checks", EACH, "http"),
            ("checks", EACH, "prometheus"),
        )
    }
    for field, part in fields(kind).items():
        assert ("default" in part) == (field not in required | one_of | items | without_default), field


def test_every_pattern_has_an_error_message() -> None:
    text = schema_path().read_text()
    assert text.count('"pattern":') == text.count('"patternErrorMessage":')


def test_the_enumerations_of_code_and_schema_agree() -> None:
    shape = fields("ScaleSet")
    assert shape["spec", "rollout", "by"]["enum"] == list(By)
    assert shape["spec", "rollout", "converge"]["enum"] == list(Converge)
    assert shape["spec", "rollout", "onFailure"]["enum"] == list(OnFailure)
    assert shape["spec", "rollout", "approval"]["enum"] == list(Approval)
    assert shape["spec", "rollout", "approver"]["enum"] == list(Approver)
    assert shape["spec", "rollout", "windows", EACH, "kind"]["enum"] == list(Kind)
    assert schema()["properties"]["kind"]["enum"] == list(KINDS)
    assert shape["apiVersion",]["enum"] == [API_VERSION]


DURATIONS = [
    pytest.param(kind, field, id=f"{kind} {'.'.join(map(str, field[1:]))}")
    for kind in KINDS
    for field, part in fields(kind).items()
    if part.get("pattern") == schema()["$defs"]["duration"]["pattern"]
]


@pytest.mark.parametrize("kind, field", DURATIONS)
def test_the_bounds_of_durations_are_those_in_the_description(kind: str, field: Field) -> None:
    part, second = fields(kind)[field], timedelta(seconds=1)
    bounds = re.search(r" ([0-9]+[hms]) to ([0-9]+[hms])\.$", part["description"])
    assert bounds
    least, most = (parse_duration(text) for text in bounds.groups())
    assert least is not None and most is not None  # noqa: PT018
    assert (
        broken_rule(kind, field, format_duration(least))
        is broken_rule(kind, field, format_duration(most))
        is None
    )
    assert "too long" in (broken_rule(kind, field, format_duration(most + second)) or "")
    if least:
        assert "too short" in (broken_rule(kind, field, format_duration(least - second)) or "")
    for example in (*part["examples"], *([part["default"]] if "default" in part else [])):
        assert broken_rule(kind, field, example) is None


def test_the_bounds_of_numbers_are_those_of_the_schema() -> None:
    numbers = {field: part for field, part in fields("ScaleSet").items() if part.get("type") == "integer"}
    assert {field[-1] for field in numbers} == {"passes", "wave", "status"}
    for field, part in numbers.items():
        least, most = part["minimum"], part["maximum"]
        assert broken_rule("ScaleSet", field, least) is broken_rule("ScaleSet", field, most) is None
        assert broken_rule("ScaleSet", field, least - 1) == f"is {least - 1}: write {least} or more"
        assert broken_rule("ScaleSet", field, most + 1) == f"is {most + 1}: write {most} or less"


@pytest.mark.parametrize("text", ["5m", "1h30m", "90s", "PT5M", "", "PT", "h", "1.5h", "5M", "PT5m", "1m1h"])
def test_schema_and_code_agree_on_valid_durations(text: str) -> None:
    assert bool(re.search(schema()["$defs"]["duration"]["pattern"], text)) == (
        bool(text) and parse_duration(text) is not None
    )


def test_one_modeline_serves_all_kinds() -> None:
    whole = Draft202012Validator(json.loads(schema_path().read_text()))
    examples = sorted((ROOT / "specs").glob("*.yaml"))
    assert len(examples) == 10
    for example in examples:
        text = example.read_text()
        assert text.startswith("# yaml-language-server: $schema=../schemas/scale-set.schema.json\n")
        whole.validate(yaml.safe_load(text))
    assert not whole.is_valid(
        {"apiVersion": API_VERSION, "kind": "Image", "metadata": {"name": "a"}, "spec": {}}
    )
    assert not whole.is_valid(
        {"apiVersion": API_VERSION, "kind": "ScaleSet", "metadata": {"name": "a"}, "spec": {}}
    )


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
