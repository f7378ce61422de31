"""For specs that are almost right there is no traceback, and every message is fit to print and keeps secrets."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.spec.declared import declare
from reconciler.spec.files import File
from tests.fuzz.grammar import ODD, SECRETS, WHOLE, changed, yaml
from tests.fuzz.properties import check_message, check_specs


@st.composite
def contents(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    return draw(yaml(draw(changed(values))))


@settings(max_examples=60)
@given(contents(st.sampled_from(ODD) | st.text(max_size=8)))
def test_specs_with_a_few_changes_are_read_or_reported(content: bytes) -> None:
    check_specs(content)


@settings(max_examples=60)
@given(contents(st.sampled_from(SECRETS)))
def test_a_secret_in_any_field_is_in_no_message(content: bytes) -> None:
    for problem in declare([File("web.yaml", content)]).problems:
        check_message(str(problem))


@settings(max_examples=30)
@given(st.lists(changed(st.sampled_from(ODD)).flatmap(yaml), min_size=2, max_size=3))
def test_several_files_are_read_together(files: list[bytes]) -> None:
    check_specs(*files)


@settings(max_examples=100)
@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_reported(content: bytes) -> None:
    check_specs(content)


def test_the_specs_that_are_changed_have_no_problem() -> None:
    """Otherwise the first problem would hide what the others find."""
    text = "\n---\n".join(json.dumps(each) for each in WHOLE)
    assert [str(each) for each in declare([File("web.yaml", text.encode())]).problems] == []
