"""What looks cost in requests."""

from datetime import timedelta

import pytest

from reconciler.forecast.bill import Bill, price_of_image, price_of_instances
from reconciler.rollout.decision import Look
from reconciler.rollout.observed import Availability, Verdict
from reconciler.spec.image import Image, PlatformImage, VhdImage
from tests.build import NEW, NOW, model

SECOND = timedelta(seconds=1)
LATEST = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "latest")
VHD = VhdImage("https://a.blob.core.windows.net/vhds/b.vhd")


@pytest.mark.parametrize(
    ("look", "costs"),
    [
        pytest.param(Look.MODEL, {0: 0, 15: 1, 30: 1, 60: 0, 61: 1, 130: 0, 191: 1}, id="a model, but what a sweep has just listed"),
        pytest.param(Look.INSTANCES, {0: 3, 1: 3}, id="instances every time"),
        pytest.param(Look.IMAGE, {0: 2, 15: 0, 59: 0, 60: 2, 90: 0}, id="an image once a minute"),
        pytest.param(Look.ROLLING_UPGRADE, {0: 1, 1: 1}, id="a rolling upgrade every time"),
        pytest.param(Look.OPERATION, {0: 1, 1: 1}, id="an operation every time"),
        pytest.param(Look.GATES, {0: 0}, id="gates cost Azure nothing"),
    ],
)  # fmt: skip
def test_a_look_costs(look: Look, costs: dict[int, int]) -> None:
    bill = Bill(NOW, timedelta(minutes=1), instances=3, image=2, change=1)
    assert {at: bill.cost((look,), NOW + at * SECOND, is_change=False) for at in costs} == costs


def test_an_image_that_the_model_is_to_change_to_costs_that_of_the_other_too() -> None:
    bill = Bill(NOW, timedelta(minutes=1), instances=3, image=2, change=1)
    assert bill.cost((Look.IMAGE, Look.INSTANCES), NOW, is_change=True) == 6


def test_a_model_that_is_asked_for_twice_in_one_tick_was_listed_once() -> None:
    bill = Bill(NOW, timedelta(minutes=1), instances=3, image=2, change=1)
    assert bill.cost((Look.MODEL, Look.INSTANCES, Look.MODEL), NOW, is_change=False) == 4


@pytest.mark.parametrize(
    ("instances", "orchestration", "price"),
    [(0, "Uniform", 1), (50, "Uniform", 1), (51, "Uniform", 2), (1000, "Uniform", 20), (51, "Flexible", 4)],
)
def test_a_list_is_paid_by_the_page(instances: int, orchestration: str, price: int) -> None:
    assert price_of_instances(model(orchestration=orchestration), instances) == price


@pytest.mark.parametrize(
    ("image", "availability", "price"),
    [
        pytest.param(NEW, None, 1, id="an exact one"),
        pytest.param(LATEST, Availability(NEW, Verdict.AVAILABLE), 2, id="latest is listed and looked at"),
        pytest.param(VHD, Availability(VHD, Verdict.UNCHECKED), 0, id="one without a catalogue"),
        pytest.param(
            NEW, Availability(NEW, Verdict.UNCHECKED, "it says no"), 1, id="a catalogue that says nothing"
        ),
    ],
)
def test_an_image_is_paid_by_what_there_is_to_ask(
    image: Image, availability: Availability | None, price: int
) -> None:
    assert price_of_image(image, availability) == price
