"""An in-process simulator of Azure Resource Manager for virtual machine scale sets.

    clock = VirtualClock()
    sim = Simulator.load({"scaleSets": [{"name": "web", "image": "Canonical:ubuntu:server:1.0.0"}]}, clock)
    client = ComputeManagementClient(credential, subscription, transport=sim.transport())
    with sim.serve() as server:         # or over the wire, for any client: HTTPS at server.url
        ...

One core serves two kinds of client: the SDK within this process, and any other client over HTTPS. Responses
are modelled on recorded traffic. The simulator shares no code with the package that it tests, except the YAML
reader, which `reading` and `declared` import.

Reading order: clock, life, model, instance, scale_set, operations, cloud, routes, core; then the entry points
for clients, `transport` and `server`; then the modules that load a fleet file: reading, declared, fleet,
seed, stock, orders. `simulator` puts all of these together.
"""

from __future__ import annotations

from reconciler.simulator.check import check_fleet, locate, read_fleet
from reconciler.simulator.clock import Clock, VirtualClock, WallClock
from reconciler.simulator.declared import FleetError
from reconciler.simulator.domains import Domain
from reconciler.simulator.faults import (
    Faults,
    ForeignLinks,
    Malformed,
    Misdated,
    OperationFails,
    OperationKeepsImage,
    OperationLost,
    Page,
    Partial,
    Rejected,
    Reset,
    Slow,
    Stale,
    Status,
    Throttled,
    Timeout,
    Truncated,
)
from reconciler.simulator.fleet import SUBSCRIPTION
from reconciler.simulator.live import LiveInstance, LiveScaleSet
from reconciler.simulator.message import ConnectionLost, Request, Response
from reconciler.simulator.record import Absence, Event, Exchange, InstanceSnapshot, Record, ScaleSetSnapshot
from reconciler.simulator.simulator import Simulator

__all__ = [
    "SUBSCRIPTION",
    "Absence",
    "Clock",
    "ConnectionLost",
    "Domain",
    "Event",
    "Exchange",
    "Faults",
    "FleetError",
    "ForeignLinks",
    "InstanceSnapshot",
    "LiveInstance",
    "LiveScaleSet",
    "Malformed",
    "Misdated",
    "OperationFails",
    "OperationKeepsImage",
    "OperationLost",
    "Page",
    "Partial",
    "Record",
    "Rejected",
    "Request",
    "Reset",
    "Response",
    "ScaleSetSnapshot",
    "Simulator",
    "Slow",
    "Stale",
    "Status",
    "Throttled",
    "Timeout",
    "Truncated",
    "VirtualClock",
    "WallClock",
    "check_fleet",
    "locate",
    "read_fleet",
]
