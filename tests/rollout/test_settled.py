"""Nothing is left to do: what is said of a scale set of any size."""

import pytest

from tests.build import decided, instance, model, observed, spec
from tests.messages import says


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(0, id="no instance"),
        pytest.param(1, id="one"),
        pytest.param(2, id="two"),
        pytest.param(3, id="three"),
    ],
)
def test_all_that_run_the_image_are_counted_in_words(number: int) -> None:
    instances = tuple(instance(each) for each in range(number))
    decision = decided(spec(), observed(model=model(capacity=number), instances=instances))
    assert (decision.line, decision.step) == (says("UpToDate", "24.04.202601140"), None)
