"""A snapshot says what a fleet is: loaded again it gives the same snapshot, and the same plan."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.rehearsal.fleet_text import fleet_file_text
from reconciler.rehearsal.reading import FleetReader
from reconciler.rehearsal.simulated_azure import simulate
from reconciler.simulator import Throttled, check_fleet, read_fleet
from reconciler.simulator.clock import MONDAY_MORNING
from tests.rehearsal.copies import plan_now, scale_sets, snapshot_now, snapshot_of
from tests.stories.world import BASE, NEW, OLD, ROLE, SUBSCRIPTION, fleet, of_all, platform, scale_set, spec

Json = dict[str, Any]

IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
CART, GOLDEN = f"{IMAGES}/galleries/shop/images/cart", f"{IMAGES}/images/golden"
VHD = "https://shopimages.blob.core.windows.net/vhds/base-6.vhd"
AKS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/aks/providers/Microsoft.ContainerService/managedClusters/shop"
OTHER = "33333333-3333-3333-3333-333333333333"
BUSY = [
    {"id": "0", "provisioning": "updating", "power": "stopping"},
    {"id": "1", "provisioning": "creating", "power": "starting"},
    {"id": "2", "power": "deallocating"},
    {"id": "3", "health": "initializing"},
]


def urn(version: str) -> str:
    return f"{':'.join(BASE.values())}:{version}"


def web(**fields: Any) -> Json:
    """A fleet of one scale set of five."""
    sized = scale_set(**{"capacity": 5, **fields})
    return fleet(
        {name: value for name, value in sized.items() if name != "capacity" or "instances" not in fields}
    )


def states(*rows: Mapping[str, Any], **fields: Any) -> Json:
    return web(instanceStates=[{"id": str(number), **row} for number, row in enumerate(rows)], **fields)


FLEETS: dict[str, Json] = {
    "a Uniform scale set": web(),
    "a scale set in three zones": web(zones=["1", "2", "3"]),
    "zones without update domains": web(zones=["1", "2", "3"], zonalUpdateDomains=False),
    "a Flexible scale set": web(orchestration="Flexible"),
    "a Flexible scale set in zones": web(orchestration="Flexible", zones=["1", "2"]),
    "a Flexible scale set with fault domains": web(orchestration="Flexible", faultDomains=3),
    "a Flexible scale set whose rows have properties": web(orchestration="Flexible")
    | {"flexibleRowProperties": True},
    "machines that were attached": web(
        orchestration="Flexible", attached=[{"name": "sql-1"}, {"name": "sql-2", "image": urn(NEW)}]
    ),
    "named machines on different images": web(
        orchestration="Flexible",
        instances=["web_0a1b2c3d", "web_4e5f6a7b"],
        instanceStates=[{"id": "web_0a1b2c3d", "image": platform(NEW)}],
    ),
    "no profile": fleet(
        {
            "name": "web",
            "resourceGroup": "shop",
            "orchestration": "Flexible",
            "virtualMachineProfile": False,
            "reportedSku": None,
            "attached": [{"name": "sql-1"}],
        }
    ),
    "instances on different images": states(
        {"image": platform(OLD)},
        {"image": platform(OLD), "latestModelApplied": True},
        {"latestModelApplied": False},
        image=platform(NEW),
    ),
    "unhealthy instances": states({"health": "unhealthy"}, {"health": "none"}, {"health": "unknown"}),
    "instances that do not run": states(
        {"power": "deallocated"}, {"power": "stopped"}, {"power": "unknown"}, {"power": "none"}
    ),
    "a failed instance": states({"provisioning": "failed"}, provisioningState="Failed"),
    "instances with their own models and wishes": states(
        {"modelDefinitionApplied": "VirtualMachine"},
        {"customMetrics": {"rollingUpgrade": {"PhaseOrderingNumber": 2, "SkipUpgrade": True}}},
    ),
    "instances that Azure is changing": states(*BUSY, provisioningState="Updating"),
    "a scale set that is migrating": web(provisioningState="Migrating"),
    "protected instances": web(protected=["0", "3"]),
    "states of different ages": states({"health": "unhealthy", "settledFor": "5m"}, settledFor="24h"),
    "gaps between the ids": web(instances=["0", "3", "7"]),
    "instances in other places": web(
        zones=["1", "2"],
        placements=[{"id": "1", "zone": "1", "updateDomain": 3, "faultDomain": 1, "placementGroup": "group"}],
    ),
    "several placement groups": web(capacity=9, placementGroupSize=2),
    "no room for all instances": web(capacity=6, allocationLimit=4),
    "no instances": web(capacity=0),
    "Spot": web(spot=True),
    "Spot with deletion and restoration": web(spot=True, evictionPolicy="Delete", spotRestore="1h"),
    "a probe": web(health="probe"),
    "no health source": web(health="none"),
    "version 1 of the health extension": web(health="binaryExtension"),
    "a grace period and repairs": web(
        healthGracePeriod="10m", automaticRepairs={"grace": "15m", "action": "restart"}
    ),
    "notifications": web(osImageNotification="15m", terminateNotification="5m"),
    "another owner": web(
        managedBy=AKS,
        tags={"aks-managed-poolName": "nodes"},
        extensions=[{"name": "node", "publisher": "Microsoft.AKS", "type": "Compute.AKS.Linux.AKSNode"}],
    ),
    "automatic upgrades": web(mode="Automatic", automaticOSUpgrade=True, overprovision=True),
    "rolling upgrades": web(mode="Rolling"),
    "trusted launch on a large disk": web(
        securityType="TrustedLaunch", diskSizeGB=64, skuName="Standard_D4s_v5"
    ),
    "tags that YAML could misread": web(
        tags={"a b": "x: y # z", "n": "1.10", "e": "", "u": "é\n", "null": "null"}
    ),
    "latest in the model": web(image=platform("latest")),
    "latest of a gallery": web(image={"id": CART})
    | {"images": {"ids": [f"{CART}/versions/1.3.0", f"{CART}/versions/1.4.0"]}},
    "a managed image": web(image={"id": GOLDEN}),
    "a VHD": web(image={"vhd": VHD}),
    "images with properties": web()
    | {
        "images": {
            "details": [
                {
                    "image": urn(NEW),
                    "deprecation": "ScheduledForDeprecation",
                    "hyperVGeneration": "V1",
                    "architecture": "Arm64",
                    "diskSizeGB": 64,
                    "securityType": "Standard",
                    "plan": {"publisher": "contoso", "product": "server", "name": "basic"},
                },
                {"image": urn(OLD), "deprecation": "Deprecated"},
            ]
        }
    },
    "images in some regions": fleet(
        scale_set("web", capacity=1),
        scale_set("north", capacity=1, location="northeurope"),
        images={"details": [{"image": urn(NEW), "regions": ["northeurope"]}]},
    ),
    "a gallery image that is not in a region": fleet(
        scale_set("web", capacity=1, image={"id": f"{CART}/versions/1.0.0"}),
        scale_set("north", capacity=1, image={"id": f"{CART}/versions/1.0.0"}, location="northeurope"),
        images={"details": [{"image": f"{CART}/versions/1.0.0", "regions": ["westeurope"]}]},
    ),
    "a gallery image that is on its way": web(image={"id": f"{CART}/versions/1.0.0"})
    | {"images": {"details": [{"image": f"{CART}/versions/1.0.0", "replicating": ["westeurope"]}]}},
    "a version that latest skips": fleet(
        scale_set("web", capacity=1, image={"id": CART}),
        scale_set("new", capacity=1, image={"id": f"{CART}/versions/1.5.0"}),
        images={
            "ids": [f"{CART}/versions/1.4.0"],
            "details": [{"image": f"{CART}/versions/1.5.0", "excludeFromLatest": True}],
        },
    ),
    "an image that is gone": web() | {"events": [{"after": "0s", "event": {"withdraw": urn(OLD)}}]},
    "two scale sets of one name": fleet(
        scale_set("web", capacity=1),
        scale_set("web", capacity=2, subscription=OTHER, resourceGroup="Blog", location="northeurope"),
    ),
}


def specs_of(described: Json) -> list[Json]:
    """A spec of the first scale set, for a new version of its image."""
    image = described["scaleSets"][0].get("image", platform(OLD))
    declared = image if "platform" not in image else platform(NEW)
    if "vhd" in declared:
        return []
    if "id" in declared:
        kind = "gallery" if "galleries" in declared["id"] else "managed"
        named = (
            declared["id"]
            if kind == "managed" or "/versions/" in declared["id"]
            else f"{CART}/versions/1.4.0"
        )
        return [of_all(maxChange="100%"), spec(image={kind: {"id": named}})]
    return [of_all(maxChange="100%"), spec(image=declared)]


@pytest.mark.parametrize("kind", FLEETS)
def test_a_snapshot_of_a_copy_is_the_same(kind: str) -> None:
    specs = specs_of(FLEETS[kind])
    found = snapshot_of(FLEETS[kind], *specs)
    assert found.left_out == ()
    assert snapshot_of(found.fleet, *specs) == found


@pytest.mark.parametrize("kind", FLEETS)
def test_a_plan_is_the_same_for_a_copy(kind: str) -> None:
    specs = specs_of(FLEETS[kind])
    if not specs:
        pytest.skip("a VHD has no catalogue, so no plan depends on it")
    timings = snapshot_of(FLEETS[kind], *specs).fleet["timings"]
    with simulate(FLEETS[kind] | {"timings": timings}, MONDAY_MORNING) as azure:
        found, expected = snapshot_now(azure, *specs), plan_now(azure, *specs)
    with simulate(found.fleet, MONDAY_MORNING) as copy:
        assert plan_now(copy, *specs) == expected


@pytest.mark.parametrize("kind", FLEETS)
def test_the_file_of_a_snapshot_has_no_errors_and_is_read_as_written(kind: str, tmp_path: Path) -> None:
    found, path = snapshot_of(FLEETS[kind], *specs_of(FLEETS[kind])).fleet, tmp_path / "fleet.yaml"
    path.write_text(fleet_file_text(found, "a comment"))
    assert check_fleet(path) == []
    assert read_fleet(path) == found


def entry(found: Json) -> Json:
    """The first scale set of a fleet file."""
    first: Json = found["scaleSets"][0]
    return first


def test_a_scale_set_that_is_as_new_has_no_rows() -> None:
    found = snapshot_of(web(settledFor="72h")).fleet
    assert entry(found) == {
        "name": "web",
        "resourceGroup": "shop",
        "subscription": SUBSCRIPTION,
        "location": "westeurope",
        "image": urn(OLD),
        "capacity": 5,
        "skuName": "Standard_D2s_v5",
        "diskSizeGB": 30,
        "health": "extension",
        "settledFor": "24h",
    }


def test_only_what_differs_from_most_instances_has_a_row() -> None:
    found = snapshot_of(
        states({"health": "unhealthy", "settledFor": "5m"}, {"image": platform(NEW)}, settledFor="24h")
    )
    assert entry(found.fleet)["instanceStates"] == [
        {"id": "0", "health": "unhealthy", "settledFor": "5m"},
        {"id": "1", "image": urn(NEW)},
    ]


def test_the_images_are_those_that_run_or_are_declared_or_would_be_restored() -> None:
    good = {"vmss-reconciler-state": f"v1;good={urn('24.04.202512010')}"}
    versions = ["24.04.202512010", OLD, NEW, "24.04.202602010"]
    described = web(tags=good) | {"images": {"platform": [{**BASE, "versions": versions}]}}
    found = snapshot_of(described, spec()).fleet
    assert found["images"] == {"platform": [{**BASE, "versions": ["24.04.202512010", OLD, NEW]}]}


def test_a_declared_image_that_does_not_exist_is_not_listed() -> None:
    found = snapshot_of(web(), spec(version="24.04.209901010")).fleet
    assert found["images"] == {"platform": [{**BASE, "versions": [OLD]}]}


def test_latest_means_the_same_version_in_a_copy() -> None:
    found = snapshot_of(FLEETS["a version that latest skips"]).fleet
    with simulate(found, MONDAY_MORNING) as copy:
        assert copy.simulator.scale_set("web").image == f"{CART}/versions/1.4.0"
        assert copy.simulator.scale_set("new").image == f"{CART}/versions/1.5.0"


def test_settings_of_extensions_are_never_read() -> None:
    secret = {
        "name": "run",
        "publisher": "Example",
        "type": "Run",
        "settings": {"command": "login --key 123"},
    }
    found = snapshot_of(web(extensions=[secret]))
    assert entry(found.fleet)["extensions"] == [{"name": "run", "publisher": "Example", "type": "Run"}]
    assert "123" not in fleet_file_text(found.fleet, "")


def test_what_azure_is_doing_ends_as_a_plan_assumes() -> None:
    updating = states(
        *({"image": platform(OLD)} | BUSY[0] if row is BUSY[0] else row for row in BUSY),
        image=platform(NEW),
        provisioningState="Updating",
    )
    with simulate(snapshot_of(updating).fleet, MONDAY_MORNING) as copy:
        copy.sleep(200)
        live = copy.simulator.scale_set("web")
        assert live.provisioning_state == "Succeeded"
        assert [each.state[:2] for each in live.instances] == [
            ("succeeded", "running"),
            ("succeeded", "running"),
            ("succeeded", "deallocated"),
            ("succeeded", "running"),
            ("succeeded", "running"),
        ]
        assert {each.image for each in live.instances} == {urn(NEW)}


@pytest.mark.parametrize(
    "described, line",
    [
        pytest.param(
            states({"provisioning": "deleting"}, capacity=1),
            "web: 1 instance that is being deleted",
            id="an instance that leaves",
        ),
        pytest.param(
            web(instances=["0", "3", "7"], allocationLimit=3)
            | {"events": [{"after": "0s", "event": {"scaleSet": {"name": "web", "capacity": 4}}}]},
            "web: capacity 4",
            id="a capacity beyond the instances that exist",
        ),
        pytest.param(
            states({"image": platform(OLD)}, {"image": platform(OLD)}, securityType="TrustedLaunch"),
            "",
            id="nothing",
        ),
    ],
)
def test_a_snapshot_says_what_it_leaves_out(described: Json, line: str) -> None:
    assert snapshot_of(described).left_out == ((line,) if line else ())


@pytest.mark.parametrize(
    "field, value, line",
    [
        pytest.param("managedBy", "/subscriptions/x", None, id="a field that the file has"),
        pytest.param(
            "zones",
            ["1", "9"],
            'web: the whole scale set: \'9\' is not a zone: write "1", "2" or "3"',
            id="an unknown zone",
        ),
    ],
)
def test_a_field_that_the_simulator_does_not_know_is_left_out(
    field: str, value: Any, line: str | None
) -> None:
    with simulate(web(), MONDAY_MORNING) as azure:
        azure.simulator.scale_set("web").report_field(field, value)
        assert snapshot_now(azure).left_out == ((line,) if line else ())


def test_protection_from_scale_in_alone_is_left_out() -> None:
    with simulate(web(), MONDAY_MORNING) as azure:
        member = azure.simulator.cloud.find_scale_set("web").instances["1"]
        member.protect(from_actions=False, from_scale_in=True)
        assert snapshot_now(azure).left_out == ("web: protection from scale-in of 1 instance",)


def test_a_rolling_upgrade_that_azure_runs_is_left_out() -> None:
    with simulate(web(mode="Rolling", image=platform(OLD)), MONDAY_MORNING) as azure:
        live = azure.simulator.scale_set("web")
        live.set_image(urn(NEW))
        azure.sleep(1)
        assert "web: rolling upgrade by Azure RollingForward" in snapshot_now(azure).left_out


def test_a_scale_set_that_does_not_exist_is_absent() -> None:
    with simulate(web(), MONDAY_MORNING) as azure:
        found = FleetReader(azure.compute, azure.sleep, workers=1).read(
            [each.target for each in scale_sets(spec("web"), spec("api"))], {}
        )
    assert ([each.target.name for each in found.scale_sets], found.absent, found.failures) == (
        ["web"],
        ("api",),
        {},
    )


def test_a_large_fleet_is_read_within_the_quota() -> None:
    described = fleet(scale_set(capacity=1, count=150), throttling=True)
    with simulate(described, MONDAY_MORNING) as azure:
        found = snapshot_now(azure)
        assert (len(found.fleet["scaleSets"]), found.instances) == (150, 150)
        assert azure.clock.now() - MONDAY_MORNING < timedelta(minutes=5)


def test_an_image_whose_catalogue_is_refused_is_named_and_counts_as_available() -> None:
    role = [each for each in ROLE if "artifacttypes" not in each]
    found = snapshot_of(web() | {"permissions": {"actions": role}}, spec())
    assert [each.partition(": its catalogue could not be read: ")[0] for each in found.left_out] == [
        urn(NEW),
        urn(OLD),
    ]
    assert found.fleet["images"] == {"platform": [{**BASE, "versions": [OLD, NEW]}]}


def test_a_throttled_catalogue_is_read_later() -> None:
    with simulate(web(), MONDAY_MORNING) as azure:
        azure.simulator.faults.arm("VirtualMachineImages_Get", Throttled(timedelta(seconds=30)))
        found = snapshot_now(azure, spec())
        assert found.left_out == ()
        assert azure.clock.now() - MONDAY_MORNING >= timedelta(seconds=30)
