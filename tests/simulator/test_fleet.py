"""Fleet files: what may be in them, and what a mistake is told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.simulator import SUBSCRIPTION, FleetError, Simulator, VirtualClock, read_fleet
from tests.simulator.azure import NEW, OLD, Azure, Start, fleet


def load(description: Any) -> Simulator:
    return Simulator.load(description, VirtualClock())


GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
LIMIT = "is more than Azure's limit of 1,000 instances in a scale set; write at most 1000"
# What a scale set may not say of itself.
MISTAKES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"capacity": 100000000}, f"capacity: 100000000 {LIMIT}", "a capacity beyond the limit"),
    ({"capacity": -1}, "capacity: -1 is not a whole number of at least 0", "a capacity below nothing"),
    (
        {"count": 10**9},
        "count: 1000000000 is more than a fleet can take of one kind",
        "a count of a milliard",
    ),
    (
        {"faultDomains": 6},
        "faultDomains: 6 is more than Azure's limit of 5 fault domains",
        "six fault domains",
    ),
    ({"placementGroupSize": 101}, "placementGroupSize: 101 is more than Azure's", "a large placement group"),
    ({"instances": ["0", "0"]}, "instances: '0' is listed twice; remove one", "an instance twice"),
    (
        {"instances": ["a"]},
        "instances[0]: 'a' is not the id of an instance; write a number",
        "a name for an id",
    ),
    ({"zones": ["1", "1"]}, "zones: '1' is listed twice; remove one", "a zone twice"),
    ({"zones": ["7"]}, 'zones[0]: \'7\' is not a zone; write "1", "2" or "3"', "a zone that is none"),
    (
        {"instances": ["0", "1"], "capacity": 2},
        "capacity: instances says how many there are; remove one of the two",
        "instances and a capacity",
    ),
    (
        {"evictionPolicy": "Delete"},
        "evictionPolicy: only a Spot set has it; add `spot: true`, or remove it",
        "an eviction policy without spot",
    ),
    ({"zones": [1]}, "zones[0]: 1 is not text; write it in quotes", "a zone that is a number"),
    ({"protected": ["0", "0"]}, "protected: '0' is listed twice; remove one", "protected twice"),
    ({"spot": "no"}, "spot: 'no' is neither true nor false; write one of them", "neither true nor false"),
    ({"location": 5}, "location: 5 is not text; write it in quotes", "a location that is no text"),
    ({"securityType": "trusted"}, "securityType: 'trusted' is not a choice", "a security type that is none"),
    ({"subscription": "banana"}, "subscription: 'banana' is not a GUID; write one like 1111", "no GUID"),
    ({"extensions": [{"name": "a"}]}, "extensions[0]: has no publisher; it needs name,", "half an extension"),
    ({"image": {"id": "base"}}, "image.id: 'base' is not the id of an image; write", "an id that is none"),
    ({"image": {}}, "image: says nothing; write one of platform, id, vhd", "an empty image"),
    ({"image": "a::c:1"}, "image: 'a::c:1' is not an image; write publisher:offer:sku:version", "no offer"),
    (
        {"autoscale": {"minimum": 5, "maximum": 2, "every": "1m"}},
        "autoscale.minimum: 5 is more than the maximum; write at most 2",
        "an autoscaler upside down",
    ),
    ({"autoscale": {"minimum": 5}}, "autoscale: has no maximum; it needs minimum,", "half an autoscaler"),
    (
        {"autoscale": {"minimum": 1, "maximum": 2, "every": "0s"}},
        "autoscale.every: '0s' is not a positive duration; write one like 10m",
        "an autoscaler without end",
    ),
    (
        {"autoscale": {"minimum": 0, "maximum": 1001, "every": "1m"}},
        f"autoscale.maximum: 1001 {LIMIT}",
        "too much",
    ),
    (
        {"automaticRepairs": {"grace": "10m"}},
        "automaticRepairs: nothing says which instances are ill; add `health: extension`, or probe",
        "repairs without health",
    ),
    (
        {"health": "probe", "automaticRepairs": {"action": "Replace"}},
        "automaticRepairs.action: 'Replace' is not a choice; did you mean replace?",
        "a repair that is none",
    ),
    (
        {"image": {"id": GALLERY, "vhd": "https://a/b.vhd"}},
        "image: says more than one thing; write one of platform, id, vhd",
        "two images",
    ),
    ({"capacity": True}, "capacity: true is not a whole number of at least 0", "a capacity of yes"),
    ({"capacity": 5.0}, "capacity: 5.0 is not a whole number of at least 0", "a capacity with a point"),
    (
        {"virtualMachineProfile": False},
        "virtualMachineProfile: only a Flexible set has none; leave it out",
        "a Uniform set without a profile",
    ),
    (
        {"attached": [{"name": "sql-1"}]},
        "attached: only a Flexible set takes machines; add `orchestration: Flexible`",
        "machines attached to a Uniform set",
    ),
    ({"spotRestore": "soon"}, "spotRestore: 'soon' is not a duration; write one like 8s", "no duration"),
)


@pytest.mark.parametrize(
    "mistake, message",
    [
        pytest.param(
            {"scaleset": []}, "scaleset: there is no such field; did you mean scaleSets?", id="field"
        ),
        pytest.param({"timings": {"boot": "20"}}, "timings.boot: '20' has no unit; write 20s", id="time"),
        pytest.param({"page": 0}, "page: 0 is not a whole number of at least 1", id="page"),
        pytest.param(
            {"scaleSets": {"name": "web"}}, "is not a list; begin each entry with `- `", id="no list"
        ),
        pytest.param({"scaleSets": ["web"]}, "scaleSets[0]: 'web' is not a mapping", id="no mapping"),
        pytest.param({"scaleSets": [{}]}, "scaleSets[0]: has no name; add `name: web`", id="no name"),
        pytest.param(
            {"scaleSets": [{"name": "web"}]},
            "scaleSets[0] (web): has no image; add `image: publisher:offer:sku:version`, or an id",
            id="no image",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD, "mode": "manual"}]},
            "scaleSets[0] (web).mode: 'manual' is not a choice; did you mean Manual?",
            id="mode",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": {"platform": {"publisher": "Canonical"}}}]},
            "scaleSets[0] (web).image.platform: has no offer",
            id="half an image",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": "ubuntu"}]},
            "scaleSets[0] (web).image: 'ubuntu' is not an image; write publisher:offer:sku:version",
            id="no name of an image",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": "a:b:c:latest"}]},
            "scaleSets[0] (web): The platform image 'a:b:c:latest' is not available",
            id="latest of nothing",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD, "capacity": 2, "protected": ["9"]}]},
            "scaleSets[0] (web).protected[0]: there is no instance '9'; the scale set starts with 0, 1",
            id="no such instance",
        ),
        pytest.param(
            {"images": {"bad": [{"image": OLD, "boots": "slowly"}]}},
            "images.bad[0].boots: 'slowly' is not a choice; choose one of well, unhealthy, silent, fails",
            id="boots",
        ),
        pytest.param(
            {"images": {"platform": [{"publisher": "C", "offer": "o", "sku": "s", "versions": 5}]}},
            "images.platform[0].versions: 5 is not a list; begin each entry with `- `",
            id="versions that are no list",
        ),
        *(
            pytest.param(
                {"scaleSets": [{"name": "web", "image": OLD, name: 5}]},
                f"scaleSets[0] (web).{name}: 5 is not a list; begin each entry with `- `",
                id=f"{name} that are no list",
            )
            for name in ("zones", "instances", "protected")
        ),
        pytest.param(
            {"scaleSets": [{"name": ["a"], "image": OLD}]},
            "scaleSets[0].name: ['a'] is not a name that Azure takes; write letters, digits,",
            id="a name that is no text",
        ),
        *(
            pytest.param(
                {"scaleSets": [{"name": "web", "image": OLD, **web}]},
                f"scaleSets[0] (web).{message}",
                id=case,
            )
            for web, message, case in MISTAKES
        ),
        pytest.param(
            {"subscription": "banana", "scaleSets": [{"name": "web", "image": OLD}]},
            "subscription: 'banana' is not a GUID; write one like 1111",
            id="a subscription that is none",
        ),
        pytest.param(
            {"throttling": "no"},
            "throttling: 'no' is neither true nor false; write one of them",
            id="neither true nor false",
        ),
        pytest.param(
            {"fixedImageFields": ["version"]},
            "fixedImageFields[0]: 'version' is not a choice; choose one of publisher, offer, sku",
            id="a version that is fixed",
        ),
        pytest.param(
            {"images": {"platform": [{"publisher": "C", "offer": "o", "sku": "s", "versions": [1.10]}]}},
            "images.platform[0].versions[0]: 1.1 is not text; write it in quotes",
            id="a version that is a number",
        ),
        pytest.param(
            {"images": {"platform": [{"publisher": "C:o", "offer": "o", "sku": "s", "versions": ["1"]}]}},
            "images.platform[0].publisher: 'C:o' is not a part of an image's name; write it as text without colons",
            id="a publisher with a colon",
        ),
        pytest.param(
            {"images": {"ids": [5]}},
            "images.ids[0]: 5 is not an image; write publisher:offer:sku:version, an id, or the address",
            id="an id that is none",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD}, {"name": "WEB", "image": OLD}]},
            "scaleSets[1] (WEB): rg/WEB is declared twice; rename one",
            id="one twice",
        ),
        pytest.param(
            {"scaleSets": [{"name": "", "image": OLD}]},
            "scaleSets[0].name: '' is empty; write a name",
            id="an empty name",
        ),
        pytest.param(
            {"scaleSets": [{"name": "a b/c", "image": OLD}]},
            "scaleSets[0] (a b/c).name: 'a b/c' is not a name that Azure takes; write letters, digits,",
            id="a name that Azure refuses",
        ),
        pytest.param(
            {"scaleSets": [{"name": "w" * 76, "count": 2, "image": OLD}]},
            "leaves no room for -0000; write at most 75",
            id="a name too long for its numbers",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD, "tags": 5}]},
            "scaleSets[0] (web).tags: 5 is not a mapping",
            id="tags that are no mapping",
        ),
    ],
)
def test_a_mistake_names_place_cause_and_mend(mistake: Any, message: str) -> None:
    with pytest.raises(FleetError) as caught:
        load(mistake)
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="No such file"):
        read_fleet(tmp_path / "fleet.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            b"a: \xff", ":1:4: byte 0xff (at offset 3) is not UTF-8: save the file as UTF-8", id="not UTF-8"
        ),
        pytest.param(b"a: [", ":2:1: a value is missing here: write one", id="not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "fleet.yaml").write_bytes(content)
    with pytest.raises(FleetError) as caught:
        read_fleet(tmp_path / "fleet.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(fleet()))
    assert load(read_fleet(path)).scale_set("web").capacity == 20


def test_a_fleet_may_start_in_the_middle_of_things(start: Start) -> None:
    azure = start(
        image=NEW,
        instanceStates=[
            {"id": "0", "image": OLD},
            {"id": "1", "image": OLD, "latestModelApplied": True},
            {"id": "2", "latestModelApplied": False},
            {"id": "3", "power": "deallocated"},
            {"id": "4", "health": "unhealthy"},
            {"id": "5", "provisioning": "failed"},
        ],
    )
    live = azure.sim.scale_set("web")
    assert [(live.instance(each).image, live.instance(each).is_current) for each in "0126"] == [
        (OLD, False),
        (OLD, True),
        (NEW, False),
        (NEW, True),
    ]
    assert azure.sim.record.away("web", azure.clock.now()) == {"3", "4", "5"}


def test_instances_may_have_gaps(start: Start) -> None:
    azure = start(instances=["0", "3", "7"])
    assert [instance.domain.update_domain for instance in azure.sim.scale_set("web").instances] == [0, 3, 2]


def test_names_are_found_by_group_when_they_must_be(start: Start) -> None:
    azure = start({"name": "web", "resourceGroup": "other", "image": OLD})
    with pytest.raises(KeyError, match=f"{SUBSCRIPTION}/shop/web, {SUBSCRIPTION}/other/web"):
        azure.sim.scale_set("web")
    assert azure.sim.scale_set("other/web").capacity == 1


OTHER = "22222222-2222-2222-2222-222222222222"


def test_a_fleet_may_have_several_subscriptions_and_regions(start: Start) -> None:
    twin = {
        "name": "web",
        "resourceGroup": "shop",
        "subscription": OTHER,
        "location": "northeurope",
        "image": NEW,
    }
    azure = start(twin)
    assert azure.sim.scale_set(f"{OTHER}/shop/web").image == NEW
    path = f"/subscriptions/{OTHER}/providers/Microsoft.Compute/virtualMachineScaleSets"
    (row,) = azure.ask("GET", path).json()["value"]
    assert row["location"] == "northeurope"
    azure.sim.scale_set(f"{OTHER}/shop/web").instance("0").sicken()
    mine, theirs = (azure.sim.record.absences(f"{each}/shop/web") for each in (SUBSCRIPTION, OTHER))
    assert (len(mine), len(theirs)) == (0, 0), "no health source, so nobody is away"
    azure.sim.scale_set(f"{OTHER}/shop/web").instance("0").fail()
    mine, theirs = (azure.sim.record.absences(f"{each}/shop/web") for each in (SUBSCRIPTION, OTHER))
    assert (len(mine), len(theirs)) == (0, 1)
    azure.sim.scale_set(f"{SUBSCRIPTION}/shop/web").instance("0").fail()
    assert len(azure.sim.record.absences("shop/web")) == 2, "of both, when both are asked for"


@pytest.mark.parametrize(
    "web, groups, domains",
    [
        pytest.param({}, 10, 50, id="regional: ten placement groups of five update domains"),
        pytest.param({"zones": ["1", "2", "3"]}, 12, 60, id="zonal: four placement groups in each zone"),
        pytest.param({"orchestration": "Flexible", "faultDomains": 3}, 10, 30, id="Flexible: fault domains"),
    ],
)
def test_a_thousand_instances_are_spread(
    start: Start, web: dict[str, Any], groups: int, domains: int
) -> None:
    azure = start(capacity=1000, **web)
    found = [instance.domain for instance in azure.sim.scale_set("web").instances]
    assert len(found) == 1000
    assert len({each.placement_group for each in found}) == groups
    spread = {(each.placement_group, each.update_domain, each.fault_domain) for each in found}
    assert len(spread) == domains
    assert azure.ask("GET", "").json()["properties"]["singlePlacementGroup"] is False


def test_a_hundred_sets_of_a_thousand_load_in_seconds(start: Start) -> None:
    begun = time.process_time()
    start({"name": "big", "count": 100, "capacity": 1000, "image": OLD, "health": "extension"})
    assert time.process_time() - begun < 5


def test_ids_are_the_same_in_every_run(azure: Azure) -> None:
    again = load(fleet())
    ids = [sim.scale_set("web").instance("3").domain for sim in (azure.sim, again)]
    assert ids[0] == ids[1]


def test_a_thousand_scale_sets_load_and_list_in_seconds(start: Start) -> None:
    begun = time.process_time()
    azure = start({"name": "big", "count": 1000, "capacity": 20, "image": OLD})
    path = azure.ask("GET", "").json()["id"].split("/resourceGroups/")[0]
    answer = azure.ask("GET", f"{path}/providers/Microsoft.Compute/virtualMachineScaleSets")
    assert len(answer.json()["value"]) == 50
    assert time.process_time() - begun < 5
