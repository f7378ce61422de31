"""Lists in one line."""

import pytest

from reconciler.rollout.wording import join, join_first


@pytest.mark.parametrize(
    ("count", "line"),
    [
        pytest.param(0, "", id="nobody"),
        pytest.param(4, "0, 1, 2, 3", id="four are all named"),
        pytest.param(5, "0, 1, 2, 3 and 1 more", id="a fifth is counted"),
        pytest.param(1000, "0, 1, 2, 3 and 996 more", id="and so are a thousand"),
    ],
)
def test_a_list_names_four_and_counts_the_rest(count: int, line: str) -> None:
    assert join(map(str, range(count))) == line


def test_of_those_that_are_counted_alone_none_is_given_a_name() -> None:
    named: list[int] = []

    def name(number: int) -> str:
        named.append(number)
        return f"web_{number}"

    assert join_first(range(6), name) == "web_0, web_1, web_2, web_3 and 2 more"
    assert named == [0, 1, 2, 3]
