"""Lists in one line."""

import pytest

from reconciler.rollout.wording import join


@pytest.mark.parametrize(
    ("count", "line"),
    [
        pytest.param(0, "", id="nobody"),
        pytest.param(4, "0, 1, 2, 3", id="four are all named"),
        pytest.param(5, "0, 1, 2, 3 and 1 more", id="a fifth is counted"),
        pytest.param(1000, "0, 1, 2, 3 and 996 more", id="a thousand are counted"),
    ],
)
def test_a_list_names_four_and_counts_the_rest(count: int, line: str) -> None:
    assert join(map(str, range(count))) == line
