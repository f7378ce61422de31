"""The delays that a `virtualMachineProfile` defines: the notice before an event and the health grace period.

With a `scheduledEventsProfile`, Azure announces a new OS image or a deletion to the guest, and waits until
the guest responds or a timeout expires. In the simulator, the guest never responds. The grace period of the
Application Health extension is how long an instance can be initializing before its health counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reconciler.simulator.timings import iso_duration

HEALTH_EXTENSIONS = ("applicationhealthlinux", "applicationhealthwindows")
# The part of the `scheduledEventsProfile` that delays each verb, and its documented timeout.
NOTIFICATIONS: Mapping[str, tuple[str, str]] = {
    "replace": ("osImageNotificationProfile", "PT15M"),
    "delete": ("terminateNotificationProfile", "PT5M"),
}
NONE = timedelta(0)


def notice_period(verb: str, profile: Mapping[str, Any]) -> timedelta:
    """Return how long Azure waits after announcing the event, or zero if the event is not announced."""
    name, usual = NOTIFICATIONS[verb]
    found = (profile.get("scheduledEventsProfile") or {}).get(name) or {}
    return iso_duration(str(found.get("notBeforeTimeout") or usual)) if found.get("enable") else NONE


def health_grace(profile: Mapping[str, Any]) -> timedelta:
    """Return the grace period of the health extension, or zero. Only version 2 has a grace period."""
    extensions = (profile.get("extensionProfile") or {}).get("extensions") or []
    for properties in (each.get("properties") or {} for each in extensions):
        is_rich = str(properties.get("typeHandlerVersion", "")).startswith("2")
        if is_rich and str(properties.get("type", "")).lower() in HEALTH_EXTENSIONS:
            return timedelta(seconds=int((properties.get("settings") or {}).get("gracePeriod") or 0))
    return NONE
