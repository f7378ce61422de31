"""What a person types to select labels: on the command line, and in the form of the page."""

import pytest

from reconciler.spec.label import Requirement


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("team=web", ("team", "web", True), id="a value"),
        pytest.param("team==web", ("team", "web", True), id="two signs, as kubectl takes them"),
        pytest.param("team!=web", ("team", "web", False), id="another value"),
        pytest.param(" team = web ", ("team", "web", True), id="blanks around the parts"),
        pytest.param("team", ("team", None, True), id="any value"),
        pytest.param("team=", ("team", "", True), id="an empty value"),
    ],
)
def test_a_requirement_is_read(text: str, read: tuple[str, str | None, bool]) -> None:
    found = Requirement.of(text)
    assert (found.label, found.value, found.is_equal) == read
    assert found.is_valid


@pytest.mark.parametrize(
    "text", ["", "=web", "!=web", "team!", "!", "!team", "team in (web", "web)", "a b=c"]
)
def test_what_names_no_label_is_no_requirement(text: str) -> None:
    assert not Requirement.of(text).is_valid
