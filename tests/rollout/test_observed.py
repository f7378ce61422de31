"""What is read off a scale set itself."""

import pytest

from tests.build import SUBSCRIPTION, model


def test_the_subscription_is_in_the_id() -> None:
    assert model().subscription == SUBSCRIPTION


@pytest.mark.parametrize(
    ("orchestration", "is_flexible"),
    [
        pytest.param("Uniform", False, id="uniform"),
        pytest.param("Flexible", True, id="flexible"),
        pytest.param("flexible", True, id="flexible, in other letters"),
        pytest.param("", False, id="not reported: Azure leaves it out of old, uniform ones"),
    ],
)
def test_instances_are_machines_of_their_own_where_orchestration_is_flexible(
    orchestration: str, is_flexible: bool
) -> None:
    assert model(orchestration=orchestration).is_flexible is is_flexible
