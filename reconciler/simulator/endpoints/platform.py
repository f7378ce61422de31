"""Endpoints of Resource Manager itself: the status of an operation, and the endpoints of the cloud."""

from __future__ import annotations

from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply
from reconciler.simulator.tokens import TENANT

AUDIENCE = "https://management.azure.com/"


def operation(call: Call) -> Reply:
    """Return the status of an operation.

    With `monitor=true`, return the result: 202 while the operation runs, then 200 or an error.
    """
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
    """Return the cloud's endpoints: one object since API version 2022, and a list of clouds before that."""
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
