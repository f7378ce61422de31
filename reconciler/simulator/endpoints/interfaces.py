"""The network interfaces of a scale set: for each instance, one per NIC in its model.

The interfaces belong to the network provider, although their paths belong to the compute provider. Networks
are not simulated. The address of an interface is derived from the number of its instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.simulator import errors
from reconciler.simulator.domains import guid
from reconciler.simulator.endpoints.call import Call, Reply, next_link, page
from reconciler.simulator.instance import Instance
from reconciler.simulator.views import nic_id, row_id

# Azure reserves these addresses in each subnet.
RESERVED = 4
TAPS_SINCE = "2018-08-01"
TAPS: Mapping[str, Any] = {"hostedWorkloads": [], "tapConfigurations": []}
NAMES: Mapping[str, Any] = {"dnsServers": [], "appliedDnsServers": []}
FROM_THE_MODEL = (
    "subnet",
    "loadBalancerBackendAddressPools",
    "applicationGatewayBackendAddressPools",
    "applicationSecurityGroups",
)


def of_scale_set(call: Call) -> Reply:
    return _list(call, call.scale_set().instances.values())


def of_instance(call: Call) -> Reply:
    return _list(call, [_instance(call)])


def get(call: Call) -> Reply:
    wanted = call.names["interface"].lower()
    for interface in _interfaces(_instance(call), call.request.version):
        if interface["name"].lower() == wanted:
            return Reply(200, interface, gateway=True)
    raise errors.no_entity()


def _list(call: Call, instances: Iterable[Instance]) -> Reply:
    found = [each for instance in instances for each in _interfaces(instance, call.request.version)]
    rows = page(call)
    body: dict[str, Any] = {"value": found[rows]}
    if rows.stop < len(found):
        body["nextLink"] = next_link(call, rows.stop)
    return Reply(200, body, gateway=True)


def _instance(call: Call) -> Instance:
    if (found := call.scale_set().instances.get(call.names["instance"])) is None:
        raise errors.no_entity()
    return found


def _interfaces(instance: Instance, version: str) -> Iterator[dict[str, Any]]:
    network = instance.applied.profile.get("networkProfile") or {}
    for number, nic in enumerate(network.get("networkInterfaceConfigurations") or []):
        yield _interface(instance, nic, number, version)


def _interface(instance: Instance, nic: Mapping[str, Any], number: int, version: str) -> dict[str, Any]:
    nic_path, fields = nic_id(instance, nic), nic["properties"]
    serial = guid("card", nic_path)
    mark = f'W/"{serial}"'
    addresses = [_address(instance, each, nic_path, mark) for each in fields["ipConfigurations"]]
    later = TAPS if version >= TAPS_SINCE else {}
    low = instance.number
    return {
        "name": nic["name"],
        "id": nic_path,
        "etag": mark,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": serial,
            "ipConfigurations": addresses,
            "dnsSettings": {**NAMES, "internalDomainNameSuffix": f"{serial[:8]}.internal.simulator.test"},
            "macAddress": f"00-0D-3A-{low >> 8 & 255:02X}-{low & 255:02X}-{number:02X}",
            "enableAcceleratedNetworking": fields.get("enableAcceleratedNetworking", False),
            "enableIPForwarding": fields.get("enableIPForwarding", False),
            **{name: fields[name] for name in ("networkSecurityGroup", "primary") if name in fields},
            "virtualMachine": {"id": row_id(instance)},
            **later,
        },
    }


def _address(instance: Instance, address: Mapping[str, Any], nic_path: str, mark: str) -> dict[str, Any]:
    fields = address.get("properties") or {}
    last = instance.number + RESERVED
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "privateIPAddress": f"10.0.{last >> 8}.{last & 255}",
        "privateIPAllocationMethod": "Dynamic",
        "primary": fields.get("primary", True),
        "privateIPAddressVersion": fields.get("privateIPAddressVersion", "IPv4"),
        **{name: fields[name] for name in FROM_THE_MODEL if name in fields},
    }
    if pools := fields.get("loadBalancerInboundNatPools"):
        rules = (str(pool["id"]).replace("/inboundNatPools/", "/inboundNatRules/") for pool in pools)
        properties["loadBalancerInboundNatRules"] = [{"id": f"{rule}.{instance.id}"} for rule in rules]
    name = str(address.get("name"))
    return {"name": name, "id": f"{nic_path}/ipConfigurations/{name}", "etag": mark, "properties": properties}
