"""Lists in one line."""

import pytest

from reconciler.rollout.gate import Gate
from reconciler.rollout.gates import closed_gate_message
from reconciler.rollout.wording import describe, join
from tests.build import fleet, instance


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


def test_instances_with_the_same_problem_are_listed_together() -> None:
    stopped = (instance(n, power="stopped") for n in (1, 2, 3, 4))
    listed = [instance(0, health="unhealthy"), instance(5, health="unhealthy"), *stopped]
    assert describe(listed) == "web_0 and web_5 (both unhealthy), web_1 and web_2 (both stopped) and 2 more"
    assert describe(fleet()[:0]) == ""


@pytest.mark.parametrize(
    ("evidence", "doing", "message"),
    [
        pytest.param(
            "no window is open",
            "the next batch",
            "the next batch is waiting because no window is open",
            id="a batch",
        ),
        pytest.param(
            "no window is open",
            "the rollout to 1.2.3",
            "the rollout to 1.2.3 is waiting because no window is open",
            id="a rollout",
        ),
        pytest.param(
            "1.2.3 needs approval",
            "the rollout to 1.2.3",
            "the rollout is waiting because 1.2.3 needs approval",
            id="a rollout whose image the evidence names",
        ),
    ],
)
def test_the_message_of_a_closed_gate_names_an_image_once(evidence: str, doing: str, message: str) -> None:
    assert closed_gate_message(Gate("gate", evidence), doing) == message
