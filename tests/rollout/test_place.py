"""How a person names the place of instances."""

import pytest

from reconciler.rollout.place import instances_at, places, whole_name
from tests.build import instance

UNIFORM = [instance(number, update_domain=number, fault_domain=0) for number in (10, 2)]
ZONAL = [instance(number, zone="1", update_domain=number, fault_domain=None) for number in (0, 1)]


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        pytest.param("2", "update domain 2", id="a number"),
        pytest.param(" Update  Domain 2 ", "update domain 2", id="blanks and capitals"),
        pytest.param("Zone 1,update domain 0", "zone 1, update domain 0", id="two places"),
    ],
)
def test_the_whole_name_of_what_a_person_wrote(written: str, whole: str) -> None:
    assert whole_name(written, UNIFORM) == whole


def test_places_are_listed_by_kind_and_number() -> None:
    assert places(UNIFORM) == [
        "fault domain 0",
        "placement group a0000000",
        "update domain 2",
        "update domain 10",
    ]


def test_the_instances_at_a_place_are_those_in_all_its_parts() -> None:
    assert [each.id for each in instances_at("zone 1, update domain 1", ZONAL)] == ["1"]
