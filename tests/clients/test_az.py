"""The Azure CLI against the simulator: what an operator would run in a terminal, and the output."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.simulator.permissions import Permissions
from reconciler.simulator.tokens import CLIENT, TENANT, principal
from tests.cli.program import Azure, reconciler, until, write_specs
from tests.clients.clients import Az
from tests.stories.world import BASE, NEW, OLD, SUBSCRIPTION, spec

WEB = "--resource-group shop --name web"
IMAGE = "virtualMachineProfile.storageProfile.imageReference"


def domains(az: Az) -> dict[int, list[str]]:
    """Group the instances by update domain, as an operator does."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in az(f"vmss list-instances {WEB} --expand instanceView"):
        found[row["instanceView"]["platformUpdateDomain"]].append(row["instanceId"])
    return dict(found)


def current(az: Az) -> dict[str, bool]:
    return {row["instanceId"]: row["latestModelApplied"] for row in az(f"vmss list-instances {WEB}")}


def health(az: Az, instance_id: str) -> str:
    view = az(f"vmss get-instance-view {WEB} --instance-id {instance_id}")
    return str(view.get("vmHealth", {}).get("status", {}).get("code"))


def test_a_rollout_by_hand_leaves_nothing_for_the_reconciler_to_do(
    az: Az, world: Azure, tmp_path: Path
) -> None:
    listed = az(
        f"vm image list --all --location westeurope --publisher {BASE['publisher']}"
        f" --offer {BASE['offer']} --sku {BASE['sku']}"
    )
    assert NEW in {image["version"] for image in listed}

    changed = az(f"vmss update {WEB} --set {IMAGE}.version={NEW}")
    assert (
        changed["provisioningState"],
        changed["virtualMachineProfile"]["storageProfile"]["imageReference"],
    ) == (
        "Succeeded",
        {**BASE, "version": NEW},
    )
    assert not any(current(az).values()), "the model alone changes no instance"
    assert world.images("web") == {OLD}

    rest = domains(az)
    assert [len(ids) for _, ids in sorted(rest.items())] == [2] * 5
    for domain, ids in sorted(rest.items()):
        az(f"vmss update-instances {WEB} --instance-ids {' '.join(ids)}")
        for instance_id in ids:
            until(lambda chosen=instance_id: health(az, chosen) == "HealthState/healthy")  # type: ignore[misc]
        done = {instance_id for number in range(domain + 1) for instance_id in rest[number]}
        assert {instance_id for instance_id, is_current in current(az).items() if is_current} == done

    assert world.images("web") == {NEW}
    assert world.simulator.record.max_unavailable_domains("web") == 1
    view = az(f"vmss get-instance-view {WEB}")
    assert view["virtualMachine"]["statusesSummary"] == [{"code": "ProvisioningState/succeeded", "count": 10}]

    write_specs(tmp_path / "specs", spec())
    writes = world.writes()
    planned = reconciler(
        "plan", "--specs", "specs", "--detailed-exitcode", env=world.environment, cwd=tmp_path
    )
    assert planned.code == 0, planned
    ran = reconciler("run", "--specs", "specs", "--once", env=world.environment, cwd=tmp_path)
    assert ran.code == 0, ran
    assert world.writes() == writes


def test_a_rollout_begun_by_hand_is_recognized(az: Az, world: Azure, tmp_path: Path) -> None:
    az(f"vmss update {WEB} --set {IMAGE}.version={NEW}")
    az(f"vmss update-instances {WEB} --instance-ids", *domains(az)[0])
    until(lambda: health(az, "0") == "HealthState/healthy")
    write_specs(tmp_path / "specs", spec())
    planned = reconciler(
        "plan", "--specs", "specs", "--detailed-exitcode", env=world.environment, cwd=tmp_path
    )
    assert planned.code == 2
    settled = reconciler(
        "run", "--specs", "specs", "--until-settled", "--sweep", "1s", "--requeue-after", "1s",
        env=world.environment, cwd=tmp_path,
    )  # fmt: skip
    assert settled.code == 0, settled
    assert world.simulator.record.max_unavailable_domains("web") == 1
    assert all(current(az).values())


def test_the_account_is_the_fleets_subscription(az: Az) -> None:
    account = az("account show")
    assert (account["id"], account["tenantId"], account["user"]["type"]) == (
        SUBSCRIPTION,
        TENANT,
        "servicePrincipal",
    )
    assert [place["name"] for place in az("account list-locations")] == ["westeurope"]
    assert [group["name"] for group in az("group list")] == ["shop"]


def test_a_service_principal_signs_in_with_a_secret(outside: Az) -> None:
    application = "22222222-2222-2222-2222-222222222222"
    principal = f"login --service-principal --username {application} --tenant {TENANT}"
    accounts = outside(f"{principal} --password hush")
    assert [(each["id"], each["user"]["name"]) for each in accounts] == [(SUBSCRIPTION, application)]
    assert [each["name"] for each in outside("vmss list")] == ["web"]


def test_a_service_principal_of_another_tenant_is_refused(outside: Az) -> None:
    elsewhere = "33333333-3333-3333-3333-333333333333"
    said = outside.run(*f"login --service-principal --username a --password b --tenant {elsewhere}".split())
    assert said.code != 0
    assert f"/{elsewhere}. Authority would" in said.err


def test_scale_sets_are_listed_and_shown(az: Az) -> None:
    assert [(each["name"], each["sku"]["capacity"]) for each in az("vmss list")] == [("web", 10)]
    assert [each["name"] for each in az("vmss list --resource-group shop")] == ["web"]
    shown = az(f"vmss show {WEB}")
    assert shown["upgradePolicy"]["mode"] == "Manual"
    assert shown["virtualMachineProfile"]["storageProfile"]["imageReference"] == {**BASE, "version": OLD}
    assert "Standard_D2s_v5" in {each["sku"]["name"] for each in az(f"vmss list-skus {WEB}")}
    assert az(f"vmss get-os-upgrade-history {WEB}") == []


def test_the_views_of_all_instances_have_no_names(az: Az) -> None:
    """`--instance-id *` selects the views alone, so that instances cannot be grouped by it."""
    views = az(f"vmss get-instance-view {WEB} --instance-id *")
    assert sorted(view["platformUpdateDomain"] for view in views) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert not any({"instanceId", "latestModelApplied"} & set(view) for view in views)


@pytest.mark.parametrize(
    "command, operation, body",
    [
        pytest.param(
            "vmss restart --instance-ids 1",
            "VirtualMachineScaleSets_Restart",
            {"instanceIds": ["1"]},
            id="a restart",
        ),
        pytest.param(
            "vmss reimage --instance-ids 1 2",
            "VirtualMachineScaleSets_ReimageAll",
            {"instanceIds": ["1", "2"]},
            id="a reimage of all disks",
        ),
        pytest.param(
            "vmss stop --instance-ids 1",
            "VirtualMachineScaleSets_PowerOff",
            {"instanceIds": ["1"]},
            id="a stop",
        ),
        pytest.param(
            "vmss start --instance-ids 1",
            "VirtualMachineScaleSets_Start",
            {"instanceIds": ["1"]},
            id="a start",
        ),
        pytest.param(
            "vmss deallocate --instance-ids 1",
            "VirtualMachineScaleSetVMs_Deallocate",
            None,
            id="a deallocation",
        ),
        pytest.param(
            "vmss delete-instances --instance-ids 9",
            "VirtualMachineScaleSets_DeleteInstances",
            {"instanceIds": ["9"]},
            id="a deletion",
        ),
    ],
)
def test_actions_on_instances_succeed(command: str, operation: str, body: Any, az: Az, world: Azure) -> None:
    az(f"{command} {WEB}")
    written = [each for each in world.simulator.record.requests if each.method == "POST"]
    assert [(each.operation, each.status, each.body) for each in written] == [(operation, 202, body)]


def test_scaling_keeps_the_image(az: Az, world: Azure) -> None:
    assert az(f"vmss scale {WEB} --new-capacity 11")["sku"]["capacity"] == 11
    until(lambda: len(world.simulator.record.images("web")) == 11)
    assert world.images("web") == {OLD}


@pytest.mark.parametrize(
    "command, complaint",
    [
        pytest.param(
            f"vmss rolling-upgrade get-latest {WEB}",
            "(NotFound)",
            id="the latest rolling upgrade before the first one",
        ),
        pytest.param(
            f"vmss rolling-upgrade cancel {WEB}",
            "There is no ongoing Rolling Upgrade to cancel.",
            id="a cancellation without a rolling upgrade",
        ),
        pytest.param(
            f"vmss rolling-upgrade start {WEB}",
            "which have imageReference.version set to latest.",
            id="a rolling upgrade of a pinned version",
        ),
        pytest.param(
            "vmss show --resource-group shop --name nothing", "(ResourceNotFound)", id="a missing scale set"
        ),
        pytest.param(
            "vmss list --resource-group nothing", "(ResourceGroupNotFound)", id="a missing resource group"
        ),
        pytest.param(
            f"vmss update-instances {WEB} --instance-ids 99",
            "The provided instanceId 99 is not an active Virtual Machine Scale Set VM instanceId.",
            id="a missing instance",
        ),
    ],
)
def test_errors_are_shown_in_azures_words(command: str, complaint: str, az: Az) -> None:
    said = az.run(*command.split())
    assert said.code != 0
    assert complaint in said.err


def test_a_reader_may_read_and_not_write(az: Az, world: Azure) -> None:
    world.simulator.cloud.permissions = Permissions(("*/read",))
    assert set(current(az).values()) == {True}
    said = az.run(*f"vmss update-instances {WEB} --instance-ids 0".split())
    assert said.code != 0
    assert "(AuthorizationFailed)" in said.err
    assert "'Microsoft.Compute/virtualMachineScaleSets/manualUpgrade/action'" in said.err


def test_an_image_is_found_from_its_publisher_down(az: Az) -> None:
    where = "--location westeurope"
    publisher, offer = f"--publisher {BASE['publisher']}", f"--offer {BASE['offer']}"
    assert [each["name"] for each in az(f"vm image list-publishers {where}")] == [BASE["publisher"]]
    assert [each["name"] for each in az(f"vm image list-offers {where} {publisher}")] == [BASE["offer"]]
    assert [each["name"] for each in az(f"vm image list-skus {where} {publisher} {offer}")] == [BASE["sku"]]
    shown = az(f"vm image show {where} --urn {':'.join(BASE.values())}:{NEW}")
    assert (shown["name"], shown["imageDeprecationStatus"]["imageState"]) == (NEW, "Active")
    assert "Standard_D2s_v5" in {each["name"] for each in az(f"vm list-sizes {where}")}


def test_a_rolling_upgrade_is_started_cancelled_and_finished(az: Az, world: Azure) -> None:
    az(f"vmss update {WEB} --set {IMAGE}.version=latest upgradePolicy.mode=Rolling")
    newest, before = "24.04.202603010", world.images("web")
    world.simulator.publish(":".join((*BASE.values(), newest)))
    assert world.images("web") == before, "an image that is published changes nothing by itself"

    swift = world.simulator.cloud.timings
    world.simulator.cloud.timings = replace(swift, upgrade=timedelta(seconds=2))
    az(f"vmss rolling-upgrade start {WEB} --no-wait")
    assert az(f"vmss rolling-upgrade get-latest {WEB}")["runningStatus"]["code"] == "RollingForward"
    az(f"vmss rolling-upgrade cancel {WEB}")
    until(lambda: az(f"vmss rolling-upgrade get-latest {WEB}")["runningStatus"]["code"] == "Cancelled")
    assert world.images("web") > {newest}

    world.simulator.cloud.timings = swift
    az(f"vmss rolling-upgrade start {WEB}")
    latest = az(f"vmss rolling-upgrade get-latest {WEB}")
    assert (latest["runningStatus"]["code"], latest["progress"]["failedInstanceCount"]) == ("Completed", 0)
    assert world.images("web") == {newest}
    history = az(f"vmss get-os-upgrade-history {WEB}")
    assert newest in history[0]["properties"]["targetImageReference"].values()


def test_the_activity_log_says_who_changed_a_scale_set(az: Az) -> None:
    az(f"vmss update {WEB} --set tags.team=web")
    target = az(f"vmss show {WEB}")["id"]
    found = az("monitor activity-log list --offset 1d --resource-id", target)
    ends = {(each["operationName"]["value"], each["status"]["value"]) for each in found}
    write = "Microsoft.Compute/virtualMachineScaleSets/write"
    assert ends == {(write, status) for status in ("Started", "Accepted", "Succeeded")}
    assert {each["caller"] for each in found} == {principal(CLIENT)}
    assert len({each["correlationId"] for each in found}) == 1
