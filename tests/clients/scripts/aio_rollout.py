"""A rollout with the asynchronous SDK, on its own transport."""

import asyncio
import json
import os
import sys
from collections import defaultdict

from azure.identity.aio import DefaultAzureCredential
from azure.mgmt.compute.aio import ComputeManagementClient

GROUP, NAME = "shop", "web"


async def main(version):
    async with (
        DefaultAzureCredential() as credential,
        ComputeManagementClient(
            credential,
            os.environ["SUBSCRIPTION"],
            base_url=os.environ["VMSS_RECONCILER_ARM_ENDPOINT"],
            credential_scopes=["https://management.azure.com/.default"],
            polling_interval=0.1,
        ) as client,
    ):
        sets, instances = client.virtual_machine_scale_sets, client.virtual_machine_scale_set_vms
        reference = {"version": version}
        profile = {"storageProfile": {"imageReference": reference}}
        change = {"properties": {"virtualMachineProfile": profile}}
        await (await sets.begin_update(GROUP, NAME, change)).result()
        domains = defaultdict(list)
        async for row in instances.list(GROUP, NAME, expand="instanceView"):
            domains[row.instance_view.platform_update_domain].append(row.instance_id)
        for _, ids in sorted(domains.items()):
            await (await sets.begin_update_instances(GROUP, NAME, {"instanceIds": ids})).result()
        current = [row.instance_id async for row in instances.list(GROUP, NAME) if row.latest_model_applied]
    json.dump({"domains": [domains[number] for number in sorted(domains)], "current": current}, sys.stdout)


asyncio.run(main(os.environ["VERSION"]))
