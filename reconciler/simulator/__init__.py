"""Azure Resource Manager for scale sets, in a process: one core, under the SDK or behind a real HTTPS server.

    clock = VirtualClock()
    sim = Simulator.load({"scaleSets": [{"name": "web", "image": "Canonical:ubuntu:server:1.0.0"}]}, clock)
    client = ComputeManagementClient(credential, subscription, transport=sim.transport())
    with sim.serve() as server:         # or over the wire, for any client: HTTPS at server.url
        ...

It speaks from recorded traffic, shares nothing with the code that it tests, and imports nothing of it but the
reading of YAML, in `reading` and `declared`.
Reading order: clock, life, model, instance, scale_set, operations, cloud, routes, core; then the doors,
`transport` and `server`; then what a fleet file does: reading, declared, fleet, seed, stock, orders.
They meet in `simulator`.
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
