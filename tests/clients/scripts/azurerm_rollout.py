"""A rollout as users of azurerm write it: read, change, put, then upgrade the update domains in turn.

azurerm is used as published. It signs in twice: as in Cloud Shell, and as a service principal. For the
latter, adal has to know that the simulator's host is an authority; otherwise it would ask a public host.
"""

import json
import os
import sys
import time
from collections import defaultdict

import adal.constants
import azurerm

GROUP, NAME = "shop", "web"


def principals_token(tenant):
    adal.constants.AADConstants.WELL_KNOWN_AUTHORITY_HOSTS.append("127.0.0.1")
    return azurerm.get_access_token(tenant, "22222222-2222-2222-2222-222222222222", "hush")


def settle(token, subscription):
    """Wait as azurerm's own example does: for the scale set, not for the operation."""
    while (
        azurerm.get_vmss(token, subscription, GROUP, NAME)["properties"]["provisioningState"] != "Succeeded"
    ):
        time.sleep(0.1)


def main(version):
    token = azurerm.get_access_token_from_cli()
    (subscription,) = (each["subscriptionId"] for each in azurerm.list_subscriptions(token)["value"])
    tenant = azurerm.list_tenants(token)["value"][0]["tenantId"]
    token = principals_token(tenant)

    model = azurerm.get_vmss(token, subscription, GROUP, NAME)
    model["properties"]["virtualMachineProfile"]["storageProfile"]["imageReference"]["version"] = version
    put = azurerm.update_vmss(token, subscription, GROUP, NAME, json.dumps(model))
    settle(token, subscription)

    domains = defaultdict(list)
    for row in azurerm.list_vmss_vm_instance_view(token, subscription, GROUP, NAME)["value"]:
        domains[row["properties"]["instanceView"]["platformUpdateDomain"]].append(row["instanceId"])
    posts = []
    for _, ids in sorted(domains.items()):
        posts.append(azurerm.upgrade_vmss_vms(token, subscription, GROUP, NAME, json.dumps(ids)).status_code)
        settle(token, subscription)
    rows = azurerm.list_vmss_vms(token, subscription, GROUP, NAME)["value"]
    json.dump(
        {
            "put": put.status_code,
            "posts": posts,
            "domains": [domains[number] for number in sorted(domains)],
            "current": [row["instanceId"] for row in rows if row["properties"]["latestModelApplied"]],
            "scaled": azurerm.scale_vmss(token, subscription, GROUP, NAME, 11).status_code,
            "locations": [each["name"] for each in azurerm.list_locations(token, subscription)["value"]],
            "groups": [each["name"] for each in azurerm.list_resource_groups(token, subscription)["value"]],
            "skus": len(azurerm.list_vmss_skus(token, subscription, GROUP, NAME)["value"]),
        },
        sys.stdout,
    )


main(os.environ["VERSION"])
