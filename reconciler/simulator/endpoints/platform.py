"""What clients ask of Resource Manager itself: subscriptions, groups, operations, where everything is."""

from __future__ import annotations

from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.cloud import TENANT
from reconciler.simulator.endpoints.call import Call, Reply

AUDIENCE = "https://management.azure.com/"


def subscriptions(call: Call) -> Reply:
    found = list(call.cloud.subscriptions())
    return Reply(200, {"value": found, "count": {"type": "Total", "value": len(found)}}, gateway=True)


def subscription(call: Call) -> Reply:
    call.cloud.subscription(call.subscription)
    wanted = call.subscription.lower()
    found = next(each for each in call.cloud.subscriptions() if each["subscriptionId"] == wanted)
    return Reply(200, found, gateway=True)


def group(call: Call) -> Reply:
    found = call.cloud.group(call.subscription, call.names["group"])
    body = {
        "id": f"/subscriptions/{call.subscription}/resourceGroups/{found.name}",
        "name": found.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": found.location,
        "properties": {"provisioningState": "Succeeded"},
    }
    return Reply(200, body, gateway=True)


def operation(call: Call) -> Reply:
    """Its status; or with `monitor=true` its result: 202 while it runs, then 200, or the error."""
    found = call.cloud.operations.find(call.names["operation"])
    if found is None:
        raise errors.no_entity()
    wait = {"Retry-After": str(call.cloud.timings.retry_after)} if found.is_running else {}
    if not call.flag("monitor"):
        return Reply(200, found.body(), wait)
    if found.is_running:
        return Reply(202, None, wait | {"Location": call.request.url})
    if found.error is not None:
        raise errors.ArmError(409, found.error.code, found.error.message)
    return Reply(200)


def endpoints(call: Call) -> Reply:
    """Where a client finds the rest of this cloud: one object since 2022, a list of clouds before."""
    host = call.request.host
    cloud: dict[str, Any] = {
        "name": "AzureSimulator",
        "portal": host,
        "resourceManager": host,
        "authentication": {
            "loginEndpoint": host,
            "audiences": [AUDIENCE],
            "tenant": TENANT,
            "identityProvider": "AAD",
        },
        "graphAudience": host,
        "graph": host,
        "suffixes": {"storage": "core.simulator.test", "keyVaultDns": "vault.simulator.test"},
    }
    return Reply(200, cloud if call.request.version >= "2022" else [cloud], gateway=True)
