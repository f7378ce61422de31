"""What a person types to select labels: on the command line, and in the form of the page."""

import pytest

from reconciler.spec.label import Requirement
from reconciler.spec.validator import field_validator


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("team=web", ("team", "web", True), id="a value"),
        pytest.param("team==web", ("team", "web", True), id="two signs, as kubectl takes them"),
        pytest.param("team!=web", ("team", "web", False), id="another value"),
        pytest.param(" team = web ", ("team", "web", True), id="blanks around the parts"),
        pytest.param("team", ("team", None, True), id="any value"),
        pytest.param("team=", ("team", "", True), id="an empty value"),
        pytest.param("team!=", ("team", "", False), id="any value but an empty one"),
        pytest.param("app.kubernetes.io/name=web", ("app.kubernetes.io/name", "web", True), id="a prefix"),
        pytest.param("v=1.2-rc_3", ("v", "1.2-rc_3", True), id="every sign in a value"),
        pytest.param(f"{63 * 'a'}={63 * 'b'}", (63 * "a", 63 * "b", True), id="the longest"),
    ],
)
def test_a_requirement_is_read(text: str, read: tuple[str, str | None, bool]) -> None:
    found = Requirement.of(text)
    assert (found.label, found.value, found.is_equal) == read
    assert found.is_valid


@pytest.mark.parametrize(
    "text",
    [
        *("", "=web", "!=web", "team!", "!", "!team", "team in (web", "web)", "a b=c", "-a=c", "a/=c"),
        *("env!=(prod)", "env=(prod)", "env!==prod", "env===prod", "env=a b", "env=a/b", "env=-a", "env=a-"),
        *(
            "env='prod'",
            'env="prod"',
            "env!=!prod",
            "env~=prod",
            "env<prod",
            f"{64 * 'a'}=b",
            f"a={64 * 'b'}",
        ),
        *("env=pr\nod", "en\nv=prod"),
    ],
)
def test_what_no_scale_set_can_have_is_no_requirement(text: str) -> None:
    assert not Requirement.of(text).is_valid


@pytest.mark.parametrize("label", ["env", "a/b", "a b", "-a", "", 64 * "a", "é", "naïve"], ids=repr)
@pytest.mark.parametrize("value", ["prod", "", "a/b", "(prod)", "a-", 64 * "b", "naïve"], ids=repr)
def test_a_requirement_is_valid_if_a_spec_may_have_the_label(label: str, value: str) -> None:
    document = {"metadata": {"name": "web", "labels": {label: value}}}
    is_allowed = field_validator("ScaleSet", ("metadata",)).is_valid(document["metadata"])
    assert Requirement.of(f"{label}={value}").is_valid is is_allowed
    assert Requirement.of(f"{label}!={value}").is_valid is is_allowed
