"""docs/spec.md is true: the spec that it shows is valid, and what it says may be left out is the default."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import ScaleSet

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text()
README = (Path(__file__).parents[2] / "README.md").read_text()
DEFAULTS = "  # Everything below may be left out."


def blocks(page: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)


def declared(text: str) -> ScaleSet:
    """The only scale set of a text without an error, wherever in it that is."""
    found = declare([File("web.yaml", text.encode())])
    assert found.problems == ()
    (scale_set,) = found.scale_sets
    return replace(scale_set, place=Place(""))


def test_what_may_be_left_out_is_the_default() -> None:
    (whole,) = blocks(PAGE)
    required, _, _ = whole.partition(DEFAULTS)
    assert required != whole
    assert declared(required) == declared(whole)


@pytest.mark.parametrize("text", blocks(README), ids=["the readme"])
def test_what_the_readme_shows_is_a_spec(text: str) -> None:
    declared(text)
