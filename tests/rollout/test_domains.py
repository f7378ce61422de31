"""Which domain an instance belongs to, by the topology that Azure reports and the ordering that was asked."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.rollout.domains import Domain, DomainsUnknown, grouping
from reconciler.spec.scale_set import By
from tests.build import instance

REGIONAL = [instance(0), instance(1)]
ZONAL = [instance(0, zone="1"), instance(1, zone="2")]
ZONAL_WITHOUT_UPDATE_DOMAINS = [
    instance(0, zone="1", update_domain=None), instance(1, zone="2", update_domain=None)
]  # fmt: skip
TWO_GROUPS = [instance(0, placement_group="aaaaaaaa-1"), instance(0, placement_group="bbbbbbbb-2")]
FAULT_DOMAINS_ONLY = [instance(0, update_domain=None), instance(1, update_domain=None)]
NOTHING = [instance(0, update_domain=None, fault_domain=None, placement_group="")]
ONE_LATE = [instance(0), instance(1, update_domain=None, provisioning="creating")]


@pytest.mark.parametrize(
    ("by", "instances", "domains"),
    [
        pytest.param(By.AUTO, REGIONAL, ["update domain 0", "update domain 1"], id="auto, regional"),
        pytest.param(
            By.AUTO,
            ZONAL,
            ["zone 1, update domain 0", "zone 2, update domain 1"],
            id="auto, zonal with update domains: a number means a domain only within its zone",
        ),
        pytest.param(
            By.AUTO,
            ZONAL_WITHOUT_UPDATE_DOMAINS,
            ["zone 1", "zone 2"],
            id="auto, zonal without update domains",
        ),
        pytest.param(
            By.AUTO,
            TWO_GROUPS,
            ["update domain 0, placement group aaaaaaaa", "update domain 0, placement group bbbbbbbb"],
            id="auto, two placement groups: equal numbers are different domains",
        ),
        pytest.param(
            By.AUTO, FAULT_DOMAINS_ONLY, ["fault domain 0", "fault domain 1"], id="auto, fault domains alone"
        ),
        pytest.param(
            By.AUTO, NOTHING, ["the scale set"], id="auto, nothing reported: one domain, in batches"
        ),
        pytest.param(
            By.AUTO,
            ONE_LATE,
            ["update domain 0", "the scale set"],
            id="one instance without a number does not change how the others are ordered",
        ),
        pytest.param(
            By.AUTO,
            [ZONAL_WITHOUT_UPDATE_DOMAINS[0], instance(1, update_domain=None, fault_domain=None)],
            ["zone 1", "the scale set"],
            id="one instance without a zone does not either",
        ),
        pytest.param(
            By.UPDATE_DOMAIN,
            ZONAL,
            ["zone 1, update domain 0", "zone 2, update domain 1"],
            id="by update domain, zonal: still per zone",
        ),
        pytest.param(By.ZONE, ZONAL_WITHOUT_UPDATE_DOMAINS, ["zone 1", "zone 2"], id="by zone"),
        pytest.param(
            By.ZONE,
            ZONAL,
            ["zone 1, update domain 0", "zone 2, update domain 1"],
            id="by zone, with update domains within it",
        ),
        pytest.param(By.FAULT_DOMAIN, REGIONAL, ["fault domain 0", "fault domain 1"], id="by fault domain"),
        pytest.param(
            By.FAULT_DOMAIN,
            TWO_GROUPS,
            ["fault domain 0, placement group aaaaaaaa", "fault domain 0, placement group bbbbbbbb"],
            id="by fault domain, two placement groups",
        ),
        pytest.param(
            By.BATCH, ZONAL, ["the scale set", "the scale set"], id="by batch, whatever is reported"
        ),
    ],
)
def test_the_domain_of_each_instance(by: By, instances: Any, domains: list[str]) -> None:
    domain_of = grouping(by, (), instances)
    assert [str(domain_of(each)) for each in instances] == domains


@pytest.mark.parametrize(
    ("by", "instances", "domain"),
    [
        pytest.param(
            By.UPDATE_DOMAIN, [ONE_LATE[1], ONE_LATE[0]], Domain("", "", -1, "update domain"), id="a number"
        ),
        pytest.param(
            By.ZONE, ZONAL_WITHOUT_UPDATE_DOMAINS, Domain("1", "", -1, ""), id="what a zone is divided by"
        ),
        pytest.param(
            By.ZONE,
            [replace(each, update_domain=None, zone="1") for each in TWO_GROUPS],
            Domain("1", "", -1, ""),
            id="placement groups: a zone is one domain however many share it",
        ),
        pytest.param(By.BATCH, REGIONAL, Domain("", "", -1, ""), id="anything"),
        pytest.param(By.AUTO, [], Domain("", "", -1, ""), id="any instance"),
    ],
)
def test_what_is_not_reported_or_does_not_matter_is_left_out(by: By, instances: Any, domain: Domain) -> None:
    one = next(iter(instances), instance(0))
    assert grouping(by, (), instances)(one) == domain


@pytest.mark.parametrize(
    ("by", "instances"),
    [
        pytest.param(By.ZONE, REGIONAL, id="zones on a regional set"),
        pytest.param(
            By.UPDATE_DOMAIN, ZONAL_WITHOUT_UPDATE_DOMAINS, id="update domains that are not reported"
        ),
        pytest.param(By.FAULT_DOMAIN, NOTHING, id="fault domains that are not reported"),
    ],
)
def test_an_ordering_that_azure_does_not_report_is_an_error(by: By, instances: Any) -> None:
    with pytest.raises(DomainsUnknown, match=f"rollout.by is {by}"):
        grouping(by, (), instances)


def test_domains_are_ordered_by_zone_then_placement_group_then_number() -> None:
    instances = [
        instance(0, zone="2", placement_group="a"),
        instance(1, zone="1", placement_group="b"),
        instance(12, zone="1", placement_group="a", update_domain=12),
        instance(2, zone="1", placement_group="a"),
    ]
    domain_of = grouping(By.AUTO, (), instances)
    assert [each.id for each in sorted(instances, key=domain_of)] == ["2", "12", "1", "0"]
