"""Libraries against the simulator: the SDK, synchronous and asynchronous, and azurerm."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from azure.core.pipeline.transport import AsyncioRequestsTransport
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AsyncCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.aio import ComputeManagementClient as AsyncClient

from reconciler.simulator.tokens import TENANT
from tests.cli.program import Azure
from tests.clients.clients import environment, script
from tests.stories.world import NEW, OLD, SUBSCRIPTION

SCOPES = ["https://management.azure.com/.default"]
CHANGE: Any = {
    "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"version": NEW}}}}
}
DOMAINS = [["0", "5"], ["1", "6"], ["2", "7"], ["3", "8"], ["4", "9"]]
ALL = [str(number) for number in range(10)]


@pytest.fixture(autouse=True)
def settings(world: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what `reconciler simulate` would have put into the environment of this process."""
    for name, value in environment(world.server).items():
        monkeypatch.setenv(name, value)


def is_rolled_out(world: Azure) -> bool:
    return world.images("web") == {NEW} and world.simulator.record.max_unavailable_domains("web") == 1


def test_the_sdk(world: Azure) -> None:
    with (
        DefaultAzureCredential() as credential,
        ComputeManagementClient(
            credential, SUBSCRIPTION, base_url=world.server.url, credential_scopes=SCOPES, polling_interval=0
        ) as client,
    ):
        sets, instances = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms
        sets.begin_update("shop", "web", CHANGE).result()
        domains: dict[Any, list[str]] = defaultdict(list)
        for row in instances.list("shop", "web", expand="instanceView"):
            assert row.instance_view
            domains[row.instance_view.platform_update_domain].append(str(row.instance_id))
        for _, ids in sorted(domains.items()):
            chosen: Any = {"instanceIds": ids}
            sets.begin_update_instances("shop", "web", chosen).result()
        assert [row.instance_id for row in instances.list("shop", "web") if row.latest_model_applied] == ALL
    assert [ids for _, ids in sorted(domains.items())] == DOMAINS
    assert is_rolled_out(world)


def test_the_sdk_as_a_service_principal(world: Azure) -> None:
    with (
        ClientSecretCredential(
            TENANT, "app", "hush", authority=world.server.url, disable_instance_discovery=True
        ) as credential,
        ComputeManagementClient(
            credential, SUBSCRIPTION, base_url=world.server.url, credential_scopes=SCOPES
        ) as client,
    ):
        assert [each.name for each in client.virtual_machine_scale_sets.list_all()] == ["web"]


def test_the_asynchronous_sdk(world: Azure) -> None:
    async def story() -> list[str | None]:
        async with (
            AsyncCredential(transport=AsyncioRequestsTransport()) as credential,
            AsyncClient(
                credential,
                SUBSCRIPTION,
                base_url=world.server.url,
                credential_scopes=SCOPES,
                polling_interval=0,
                transport=AsyncioRequestsTransport(),
            ) as client,
        ):
            sets, instances = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms
            await (await sets.begin_update("shop", "web", CHANGE)).result()
            for ids in DOMAINS:
                chosen: Any = {"instanceIds": ids}
                await (await sets.begin_update_instances("shop", "web", chosen)).result()
            rows = instances.list("shop", "web")
            return [row.instance_id async for row in rows if row.latest_model_applied]

    assert asyncio.run(story()) == ALL
    assert is_rolled_out(world)


def test_the_asynchronous_sdk_on_its_own_transport(world: Azure) -> None:
    output = script("aio_rollout.py", world.server, VERSION=NEW, SUBSCRIPTION=SUBSCRIPTION)
    assert output == {"domains": DOMAINS, "current": ALL}
    assert is_rolled_out(world)


def test_azurerm(world: Azure) -> None:
    """azurerm works with the known ids, because the views alone have no names."""
    output = script(
        "azurerm_rollout.py",
        world.server,
        VERSION=NEW,
        ACC_CLOUD="PROD",
        MSI_ENDPOINT=world.server.identity_endpoint,
        AZURE_RM_ENDPOINT=world.server.url,
        AZURE_AUTH_ENDPOINT=f"{world.server.url}/",
    )
    skus = output.pop("skus")
    assert skus > 1
    assert output == {
        "put": 200,
        "posts": [202] * 5,
        "domains": DOMAINS,
        "current": ALL,
        "scaled": 200,
        "locations": ["westeurope"],
        "groups": ["shop"],
    }
    assert world.images("web") <= {OLD, NEW}
    assert world.simulator.record.max_unavailable_domains("web") == 1
