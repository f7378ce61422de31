"""Resources outside the compute provider: tenants, subscriptions, regions and resource groups.

The responses have the documented form. The list of tenants has a single entry.
"""

from __future__ import annotations

from typing import Any

from reconciler.simulator.cloud import Group
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.regions import display, region
from reconciler.simulator.tokens import TENANT


def tenants(_: Call) -> Reply:
    tenant = {
        "id": f"/tenants/{TENANT}",
        "tenantId": TENANT,
        "countryCode": "NL",
        "displayName": "Simulated",
        "domains": ["simulator.test"],
        "tenantCategory": "Home",
        "defaultDomain": "simulator.test",
        "tenantType": "AAD",
    }
    return Reply(200, {"value": [tenant]}, gateway=True)


def subscriptions(call: Call) -> Reply:
    found = list(call.cloud.subscriptions())
    return Reply(200, {"value": found, "count": {"type": "Total", "value": len(found)}}, gateway=True)


def subscription(call: Call) -> Reply:
    call.cloud.subscription(call.subscription)
    wanted = call.subscription.lower()
    found = next(each for each in call.cloud.subscriptions() if each["subscriptionId"] == wanted)
    return Reply(200, found, gateway=True)


def locations(call: Call) -> Reply:
    """Return the catalogue's region and the regions of the subscription's scale sets."""
    call.cloud.subscription(call.subscription)
    found = [_location(call, name) for name in regions(call)]
    return Reply(200, {"value": found}, gateway=True)


def groups(call: Call) -> Reply:
    found = call.cloud.subscription(call.subscription).values()
    return Reply(200, {"value": [_group(call, each) for each in found]}, gateway=True)


def group(call: Call) -> Reply:
    found = call.cloud.group(call.subscription, call.names["group"])
    return Reply(200, _group(call, found), gateway=True)


def regions(call: Call) -> list[str]:
    cloud = call.cloud
    found = {region(each.location) for each in cloud.scale_sets(call.subscription)}
    return sorted(found | {region(cloud.catalogue.location)})


def _location(call: Call, name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{call.subscription}/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": display(name),
        "regionalDisplayName": display(name),
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    }


def _group(call: Call, found: Group) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{call.subscription}/resourceGroups/{found.name}",
        "name": found.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": found.location,
        **({"tags": dict(found.tags)} if found.tags else {}),
        "properties": {"provisioningState": "Succeeded"},
    }
