"""The faults that a command line can name, and the error for each other text."""

import pytest

from reconciler.rehearsal.fault import EXAMPLES, Fault, FaultKind, NotAFault, parse_fault
from reconciler.spec.amount import Count, Percent


@pytest.mark.parametrize(
    "text, fault",
    [
        pytest.param("unhealthy:2%", Fault(FaultKind.UNHEALTHY, Percent(2)), id="a share of the instances"),
        pytest.param("unhealthy:100%", Fault(FaultKind.UNHEALTHY, Percent(100)), id="all instances"),
        pytest.param("throttle", Fault(FaultKind.THROTTLE), id="throttling"),
        pytest.param("stuck:3", Fault(FaultKind.STUCK, Count(3)), id="batches"),
        pytest.param("evict:1", Fault(FaultKind.EVICT, Count(1)), id="an eviction"),
    ],
)
def test_a_fault_is_read_and_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert str(fault) == text


@pytest.mark.parametrize(
    "text, message",
    [
        pytest.param(
            "fire:1",
            "'fire:1' is not a fault; choose one of unhealthy:2%, throttle, stuck:1, evict:1",
            id="an unknown fault",
        ),
        pytest.param(
            "Throttle",
            "'Throttle' is not a fault; choose one of unhealthy:2%, throttle, stuck:1, evict:1",
            id="a capital letter",
        ),
        pytest.param(
            "throttle:2",
            "'throttle:2' has an amount, which throttle does not take; write throttle",
            id="throttling with an amount",
        ),
        *(
            pytest.param(
                text,
                f"{text!r} has no percentage of at least 1%; write it like unhealthy:2%",
                id=f"{text} as a share",
            )
            for text in (
                "unhealthy",
                "unhealthy:",
                "unhealthy:2",
                "unhealthy:0%",
                "unhealthy:-1%",
                "unhealthy:1.5%",
            )
        ),
        pytest.param(
            "unhealthy:101%",
            "'unhealthy:101%' is more than all instances; write at most unhealthy:100%",
            id="more than a hundred percent",
        ),
        *(
            pytest.param(
                text,
                f"{text!r} has no number of at least 1; write it like {kind}:1",
                id=f"{text} as a number",
            )
            for text, kind in (
                ("stuck", "stuck"),
                ("stuck:0", "stuck"),
                ("evict:x", "evict"),
                ("evict:1%", "evict"),
            )
        ),
    ],
)
def test_another_text_is_an_error(text: str, message: str) -> None:
    with pytest.raises(NotAFault) as caught:
        parse_fault(text)
    assert str(caught.value) == message


def test_the_examples_are_faults_of_every_kind() -> None:
    assert {parse_fault(each).kind for each in EXAMPLES} == set(FaultKind)
