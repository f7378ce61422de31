"""How the simulator indents JSON: as the standard library does."""

import json

from hypothesis import given
from hypothesis import strategies as st

from reconciler.simulator.indented import indented

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES)
def test_json_is_indented_as_the_standard_library_does(value: object) -> None:
    assert indented(value) == json.dumps(value, indent=2)


def test_a_tuple_is_a_list() -> None:
    assert indented(({}, [])) == json.dumps(({}, []), indent=2)


def test_lines_end_as_the_caller_says() -> None:
    assert indented({"a": [1]}, newline="\r\n") == '{\r\n  "a": [\r\n    1\r\n  ]\r\n}'
