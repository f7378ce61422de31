"""The permissions of the caller. A fleet file declares them once, for all scopes."""

from __future__ import annotations

from reconciler.simulator.endpoints.call import Call, Reply


def in_subscription(call: Call) -> Reply:
    call.cloud.subscription(call.subscription)
    return _grants(call)


def in_group(call: Call) -> Reply:
    call.cloud.group(call.subscription, call.names["group"])
    return _grants(call)


def on_scale_set(call: Call) -> Reply:
    call.scale_set()
    return _grants(call)


def _grants(call: Call) -> Reply:
    granted = call.cloud.permissions
    row = {"actions": list(granted.actions), "notActions": list(granted.not_actions)}
    return Reply(200, {"value": [row]}, gateway=True)
