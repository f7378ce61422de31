"""Nothing is left to do: what is said of a scale set of any size."""

import pytest

from tests.build import decided, instance, model, observed, spec


@pytest.mark.parametrize(
    ("number", "message"),
    [
        pytest.param(0, "no instances; the model is on 24.04.202601140", id="no instance"),
        pytest.param(1, "its one instance runs 24.04.202601140", id="one"),
        pytest.param(2, "both instances run 24.04.202601140", id="two"),
        pytest.param(3, "all 3 instances run 24.04.202601140", id="three"),
    ],
)
def test_all_that_run_the_image_are_counted_in_words(number: int, message: str) -> None:
    instances = tuple(instance(each) for each in range(number))
    decision = decided(spec(), observed(model=model(capacity=number), instances=instances))
    assert (decision.line, decision.step) == (f"UpToDate: {message}", None)
