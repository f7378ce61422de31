"""Fleet files: what they can contain, and the messages of errors."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.simulator import SUBSCRIPTION, Domain, FleetError, Simulator, VirtualClock, read_fleet
from tests.simulator.azure import NEW, OLD, Azure, Start, fleet


def load(description: Any) -> Simulator:
    return Simulator.load(description, VirtualClock())


GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
LIMIT = "is more than Azure's limit of 1,000 instances in a scale set: write at most 1000"
# Fields of a scale set, the error of each, and a name for the test.
INVALID_FIELDS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"capacity": 100000000}, f"capacity 100000000 {LIMIT}", "a capacity beyond the limit"),
    ({"capacity": -1}, "capacity -1 is not a whole number of at least 0", "a negative capacity"),
    (
        {"count": 10**9},
        "count 1000000000 is more than the maximum of one entry",
        "a count beyond the limit",
    ),
    (
        {"faultDomains": 6},
        "faultDomains 6 is more than Azure's limit of 5 fault domains",
        "six fault domains",
    ),
    ({"placementGroupSize": 101}, "placementGroupSize 101 is more than Azure's", "a large placement group"),
    ({"instances": ["0", "0"]}, "instances '0' is listed twice: remove one", "a duplicate instance"),
    (
        {"instances": ["a"]},
        "instances[0] 'a' is not the id of an instance: write a number",
        "a name for an id",
    ),
    (
        {"orchestration": "Flexible", "instances": ["a b"]},
        "instances[0] 'a b' is not the id of an instance: write a number, like \"3\", or in a Flexible scale set",
        "a name that no machine can have",
    ),
    (
        {"placements": [{"id": "20", "zone": "1"}]},
        "placements[0] names instance '20', which does not exist: the scale set starts with 0",
        "a placement of an unknown instance",
    ),
    ({"zones": ["1", "1"]}, "zones '1' is listed twice: remove one", "a duplicate zone"),
    ({"zones": ["7"]}, 'zones[0] \'7\' is not a zone: write "1", "2" or "3"', "an unknown zone"),
    (
        {"instances": ["0", "1"], "capacity": 2},
        "capacity conflicts with instances, which sets the capacity: remove one of the two",
        "instances and a capacity",
    ),
    (
        {"evictionPolicy": "Delete"},
        "evictionPolicy applies only to a Spot scale set: add `spot: true`, or remove it",
        "an eviction policy without spot",
    ),
    ({"zones": [1]}, "zones[0] 1 is not a string: write it in quotes", "a zone that is a number"),
    (
        {"protected": ["0", "0"]},
        "protected '0' is listed twice: remove one",
        "a duplicate protected instance",
    ),
    ({"spot": "no"}, "spot 'no' is not a boolean: write true or false", "a spot flag that is not a boolean"),
    ({"location": 5}, "location 5 is not a string: write it in quotes", "a location that is not a string"),
    (
        {"securityType": "trusted"},
        "securityType 'trusted' is not a valid value",
        "an unknown security type",
    ),
    (
        {"subscription": "banana"},
        "subscription 'banana' is not a GUID: write one like 1111",
        "an invalid GUID",
    ),
    (
        {"extensions": [{"name": "a"}]},
        "extensions[0] has no publisher: it needs name,",
        "an incomplete extension",
    ),
    ({"image": {"id": "base"}}, "image.id 'base' is not the id of an image: write", "an invalid image id"),
    ({"image": {}}, "image is empty: write one of platform, id, vhd", "an image without fields"),
    (
        {"image": "a::c:1"},
        "image 'a::c:1' is not an image: write publisher:offer:sku:version",
        "a platform image without an offer",
    ),
    (
        {"autoscale": {"minimum": 5, "maximum": 2, "every": "1m"}},
        "autoscale.minimum 5 is more than the maximum: write at most 2",
        "an autoscaler with a minimum above its maximum",
    ),
    (
        {"autoscale": {"minimum": 5}},
        "autoscale has no maximum: it needs minimum,",
        "an incomplete autoscaler",
    ),
    (
        {"autoscale": {"minimum": 1, "maximum": 2, "every": "0s"}},
        "autoscale.every '0s' is not a positive duration: write one like 10m",
        "an autoscaler with an interval of zero",
    ),
    (
        {"autoscale": {"minimum": 0, "maximum": 1001, "every": "1m"}},
        f"autoscale.maximum 1001 {LIMIT}",
        "a disk size of zero",
    ),
    (
        {"automaticRepairs": {"grace": "10m"}},
        "automaticRepairs needs a health source: add `health: extension` or `health: probe`",
        "automatic repairs without a health source",
    ),
    (
        {"health": "probe", "automaticRepairs": {"action": "Replace"}},
        "automaticRepairs.action 'Replace' is not a valid value: did you mean replace?",
        "an unknown repair action",
    ),
    (
        {"image": {"id": GALLERY, "vhd": "https://a/b.vhd"}},
        "image has more than one field: write one of platform, id, vhd",
        "an image with two kinds",
    ),
    (
        {"capacity": True},
        "capacity true is not a whole number of at least 0",
        "a capacity that is a boolean",
    ),
    (
        {"capacity": 5.0},
        "capacity 5.0 is not a whole number of at least 0",
        "a capacity with a decimal point",
    ),
    (
        {"virtualMachineProfile": False},
        "virtualMachineProfile can be false only for a Flexible scale set: remove this field",
        "a Uniform set without a profile",
    ),
    (
        {"attached": [{"name": "sql-1"}]},
        "attached applies only to a Flexible scale set: add `orchestration: Flexible`",
        "machines attached to a Uniform set",
    ),
    (
        {"spotRestore": "soon"},
        "spotRestore 'soon' is not a duration: write one like 8s",
        "a value that is not a duration",
    ),
)


@pytest.mark.parametrize(
    "fleet_file, message",
    [
        pytest.param(
            {"scaleset": []}, "scaleset is not a known field: did you mean scaleSets?", id="an unknown field"
        ),
        pytest.param(
            {"timings": {"boot": "20"}},
            "timings.boot '20' has no unit: write 20s",
            id="a duration without a unit",
        ),
        pytest.param({"page": 0}, "page 0 is not a whole number of at least 1", id="a page size of zero"),
        pytest.param(
            {"scaleSets": {"name": "web"}},
            "is not a list: begin each entry with `- `",
            id="scale sets that are not a list",
        ),
        pytest.param(
            {"scaleSets": ["web"]}, "scaleSets[0] 'web' is not a mapping", id="a fleet that is not a mapping"
        ),
        pytest.param({"scaleSets": [{}]}, "scaleSets[0] has no name: add `name: web`", id="a missing name"),
        pytest.param(
            {"scaleSets": [{"name": "web"}]},
            "scaleSets[0] (web) has no image: add `image: publisher:offer:sku:version`, or an id",
            id="a missing image",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD, "mode": "manual"}]},
            "scaleSets[0] (web).mode 'manual' is not a valid value: did you mean Manual?",
            id="an unknown mode",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": {"platform": {"publisher": "Canonical"}}}]},
            "scaleSets[0] (web).image.platform has no offer",
            id="an incomplete image name",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": "ubuntu"}]},
            "scaleSets[0] (web).image 'ubuntu' is not an image: write publisher:offer:sku:version",
            id="an invalid image name",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": "a:b:c:latest"}]},
            "scaleSets[0] (web) is invalid: The platform image 'a:b:c:latest' is not available",
            id="latest of an unknown image",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD, "capacity": 2, "protected": ["9"]}]},
            "scaleSets[0] (web).protected[0] names instance '9', which does not exist: the scale set starts with 0, 1",
            id="an unknown instance",
        ),
        pytest.param(
            {"images": {"bad": [{"image": OLD, "boots": "slowly"}]}},
            "images.bad[0].boots 'slowly' is not a valid value: choose one of well, unhealthy, silent, fails",
            id="an unknown value of boots",
        ),
        pytest.param(
            {"images": {"platform": [{"publisher": "C", "offer": "o", "sku": "s", "versions": 5}]}},
            "images.platform[0].versions 5 is not a list: begin each entry with `- `",
            id="versions that are not a list",
        ),
        *(
            pytest.param(
                {"scaleSets": [{"name": "web", "image": OLD, name: 5}]},
                f"scaleSets[0] (web).{name} 5 is not a list: begin each entry with `- `",
                id=f"{name} that are not a list",
            )
            for name in ("zones", "instances", "protected")
        ),
        pytest.param(
            {"scaleSets": [{"name": ["a"], "image": OLD}]},
            "scaleSets[0].name ['a'] is not a name that Azure accepts: write letters, digits,",
            id="a name that is not a string",
        ),
        *(
            pytest.param(
                {"scaleSets": [{"name": "web", "image": OLD, **web}]},
                f"scaleSets[0] (web).{message}",
                id=case,
            )
            for web, message, case in INVALID_FIELDS
        ),
        pytest.param(
            {"subscription": "banana", "scaleSets": [{"name": "web", "image": OLD}]},
            "subscription 'banana' is not a GUID: write one like 1111",
            id="an invalid subscription",
        ),
        pytest.param(
            {"throttling": "no"},
            "throttling 'no' is not a boolean: write true or false",
            id="a throttling flag that is not a boolean",
        ),
        pytest.param(
            {"fixedImageFields": ["version"]},
            "fixedImageFields[0] 'version' is not a valid value: choose one of publisher, offer, sku",
            id="a version that is not latest",
        ),
        pytest.param(
            {"images": {"platform": [{"publisher": "C", "offer": "o", "sku": "s", "versions": [1.10]}]}},
            "images.platform[0].versions[0] 1.1 is not a string: write it in quotes",
            id="a version that is a number",
        ),
        pytest.param(
            {"images": {"platform": [{"publisher": "C:o", "offer": "o", "sku": "s", "versions": ["1"]}]}},
            "images.platform[0].publisher 'C:o' is not a part of an image's name: write it as text without colons",
            id="a publisher with a colon",
        ),
        pytest.param(
            {"images": {"ids": [5]}},
            "images.ids[0] 5 is not an image: write publisher:offer:sku:version, an id, or the address",
            id="a number in the list of image ids",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD}, {"name": "WEB", "image": OLD}]},
            "scaleSets[1] (WEB) declares rg/WEB a second time: rename one",
            id="two scale sets of one name",
        ),
        pytest.param(
            {"scaleSets": [{"name": "", "image": OLD}]},
            "scaleSets[0].name '' is empty: write a name",
            id="an empty name",
        ),
        pytest.param(
            {"scaleSets": [{"name": "a b/c", "image": OLD}]},
            "scaleSets[0] (a b/c).name 'a b/c' is not a name that Azure accepts: write letters, digits,",
            id="a name that Azure rejects",
        ),
        pytest.param(
            {"scaleSets": [{"name": "w" * 76, "count": 2, "image": OLD}]},
            "is too long for the suffix -0000: write at most 75 characters",
            id="a name too long for its numbers",
        ),
        pytest.param(
            {"scaleSets": [{"name": "web", "image": OLD, "tags": 5}]},
            "scaleSets[0] (web).tags 5 is not a mapping",
            id="tags that are not a mapping",
        ),
    ],
)
def test_an_error_has_location_cause_and_fix(fleet_file: Any, message: str) -> None:
    with pytest.raises(FleetError) as caught:
        load(fleet_file)
    assert message in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="No such file"):
        read_fleet(tmp_path / "fleet.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            b"a: \xff",
            ":1:4: byte 0xff (at offset 3) is not UTF-8: save the file as UTF-8",
            id="a file that is not UTF-8",
        ),
        pytest.param(b"a: [", ":2:1: a value is missing here: write one", id="a file that is not YAML"),
    ],
)
def test_an_unreadable_file_is_reported_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "fleet.yaml").write_bytes(content)
    with pytest.raises(FleetError) as caught:
        read_fleet(tmp_path / "fleet.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(fleet()))
    assert load(read_fleet(path)).scale_set("web").capacity == 20


def test_a_fleet_may_start_with_instances_in_any_state(start: Start) -> None:
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
    assert azure.sim.record.unavailable_at("web", azure.clock.now()) == {"3", "4", "5"}


def test_instance_ids_may_have_gaps(start: Start) -> None:
    azure = start(instances=["0", "3", "7"])
    assert [instance.domain.update_domain for instance in azure.sim.scale_set("web").instances] == [0, 3, 2]


def test_instances_of_a_flexible_set_may_have_names(start: Start) -> None:
    names = ["web_0a1b2c3d", "web_4e5f6a7b"]
    live = start(orchestration="Flexible", instances=names).sim.scale_set("web")
    assert [each.id for each in live.instances] == names
    live.scale_to(3)
    assert len(live.instances) == 3


def test_an_instance_may_be_placed_where_a_new_scale_set_would_not_place_it(start: Start) -> None:
    place = {"zone": "2", "updateDomain": 4, "faultDomain": 1, "placementGroup": "group"}
    azure = start(
        capacity=3, zones=["1", "2", "3"], placements=[{"id": "0", **place}, {"id": "1", "zone": "1"}]
    )
    live = azure.sim.scale_set("web")
    assert live.instance("0").domain == Domain("2", "group", 4, 1)
    assert live.instance("1").domain.zone == "1"
    assert live.instance("1").domain.update_domain == live.instance("2").domain.update_domain


def test_instances_may_have_been_in_their_states_for_a_while(start: Start) -> None:
    azure = start(
        capacity=2, settledFor="24h", instanceStates=[{"id": "1", "health": "unhealthy", "settledFor": "5m"}]
    )
    rows = azure.ask("GET", "virtualMachines?$expand=instanceView").json()["value"]
    views = [row["properties"]["instanceView"] for row in rows]
    ages = {
        (
            azure.clock.now() - datetime.fromisoformat(view["statuses"][0]["time"]),
            azure.clock.now() - datetime.fromisoformat(view["vmHealth"]["status"]["time"]),
        )
        for view in views
    }
    assert ages == {(timedelta(hours=24),) * 2, (timedelta(minutes=5),) * 2}


def test_scale_sets_of_one_name_are_found_by_group(start: Start) -> None:
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
    assert (len(mine), len(theirs)) == (0, 0), "without a health source no instance is unavailable"
    azure.sim.scale_set(f"{OTHER}/shop/web").instance("0").fail()
    mine, theirs = (azure.sim.record.absences(f"{each}/shop/web") for each in (SUBSCRIPTION, OTHER))
    assert (len(mine), len(theirs)) == (0, 1)
    azure.sim.scale_set(f"{SUBSCRIPTION}/shop/web").instance("0").fail()
    assert len(azure.sim.record.absences("shop/web")) == 2, "both scale sets match the name"


@pytest.mark.parametrize(
    "web, groups, domains",
    [
        pytest.param({}, 10, 50, id="regional: ten placement groups of five update domains"),
        pytest.param({"zones": ["1", "2", "3"]}, 12, 60, id="zonal: four placement groups in each zone"),
        pytest.param({"orchestration": "Flexible", "faultDomains": 3}, 10, 30, id="Flexible: fault domains"),
    ],
)
def test_a_thousand_instances_are_distributed_over_domains(
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
