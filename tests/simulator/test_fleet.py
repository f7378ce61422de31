"""Fleet files: what may be in them, and what a mistake is told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.simulator import FleetError, Simulator, VirtualClock, read_fleet
from reconciler.simulator import fleet as fleet_module
from tests.simulator.azure import NEW, OLD, Azure, Start, fleet


def load(description: Any) -> Simulator:
    return Simulator.load(description, VirtualClock())


@pytest.mark.parametrize(
    "mistake, message",
    [
        pytest.param(
            {"scaleset": []}, "fleet: there is no field 'scaleset'; did you mean scaleSets?", id="field"
        ),
        pytest.param(
            {"timings": {"boot": "20"}}, "timings.boot: '20' is not a duration; write one like 8s", id="time"
        ),
        pytest.param({"page": 0}, "page: 0 is not a whole number of at least 1", id="page"),
        pytest.param(
            {"scaleSets": {"name": "web"}}, "is not a list; begin each entry with `- `", id="no list"
        ),
        pytest.param({"scaleSets": ["web"]}, "scaleSets[0]: 'web' is not a mapping", id="no mapping"),
        pytest.param({"scaleSets": [{}]}, "scaleSets[0]: has no name; add `name: web`", id="no name"),
        pytest.param(
            {"scaleSets": [{"name": "web"}]}, "scaleSets[0] (web).image: no image; write", id="no image"
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
            "scaleSets[0] (web).protected: there is no instance '9'; the scale set starts with 0, 1",
            id="no such instance",
        ),
        pytest.param(
            {"images": {"bad": [{"image": OLD, "boots": "slowly"}]}},
            "images.bad[0].boots: 'slowly' is not a choice; choose one of well, unhealthy, fails, never",
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
            "scaleSets[0].name: ['a'] is not a name; write it as text",
            id="a name that is no text",
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
        pytest.param(b"a: \xff", ": not UTF-8; save it as UTF-8", id="not UTF-8"),
        pytest.param(b"a: [", ": not YAML: while parsing a flow node", id="not YAML"),
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


def test_every_field_is_documented() -> None:
    from reconciler.simulator.declared import FIELDS

    told = fleet_module.__doc__ or ""
    assert [
        name for names in FIELDS.values() for name in names if name not in told and name != "settings"
    ] == []


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
    with pytest.raises(KeyError, match="shop/web, other/web"):
        azure.sim.scale_set("web")
    assert azure.sim.scale_set("other/web").capacity == 1


def test_ids_are_the_same_in_every_run(azure: Azure) -> None:
    again = load(fleet())
    ids = [sim.scale_set("web").instance("3").domain for sim in (azure.sim, again)]
    assert ids[0] == ids[1]


def test_a_thousand_scale_sets_load_and_list_in_seconds(start: Start) -> None:
    begun = time.perf_counter()
    azure = start({"name": "big", "count": 1000, "capacity": 20, "image": OLD})
    path = azure.ask("GET", "").json()["id"].split("/resourceGroups/")[0]
    answer = azure.ask("GET", f"{path}/providers/Microsoft.Compute/virtualMachineScaleSets")
    assert len(answer.json()["value"]) == 50
    assert time.perf_counter() - begun < 5
