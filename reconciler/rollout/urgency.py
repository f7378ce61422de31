"""An image that a person declared urgent (`spec.urgent` of the Fleet), and what does not block it.

Windows, waves, bake times and the cap on change do not block the image, and a soak lasts at most ten minutes.
Everything else applies: holds, approval, pilot and breaker, checks and dependencies, domains and amounts.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.rollout.wording import moment
from reconciler.spec.fleet import Fleet
from reconciler.spec.image import Image, short
from reconciler.spec.scale_set import ScaleSet

_LONGEST_SOAK = timedelta(minutes=10)


def with_urgent_limits(desired: ScaleSet, at: datetime) -> ScaleSet:
    """The spec with the soaks and the bake time that apply at `at`. `desired` must name the exact image."""
    if not desired.fleet.urgency(desired.image, at):
        return desired
    rollout, canary = desired.rollout, desired.rollout.canary
    short_canary = replace(canary, soak=min(canary.soak, _LONGEST_SOAK)) if canary else None
    soak = min(rollout.soak, _LONGEST_SOAK)
    return replace(desired, rollout=replace(rollout, soak=soak, canary=short_canary, bake_time=timedelta()))


def urgency_note(fleet: Fleet, image: Image, at: datetime) -> str:
    """Who declared the image urgent, until when and why, or "" if the image is not urgent."""
    urgent = fleet.urgency(image, at)
    if urgent is None:
        return ""
    by = f" by {urgent.by}" if urgent.by else ""
    return f"declared urgent{by} until {moment(urgent.until)} ({urgent.reason})"


def waiting_note(fleet: Fleet, at: datetime) -> str:
    """Why `spec.urgent` does not open a gate for this image, or "" if it is not set."""
    urgent = fleet.urgent
    if urgent is None:
        return ""
    if at >= urgent.until:
        return f" (the Fleet's spec.urgent expired at {moment(urgent.until)})"
    return f" (the Fleet's spec.urgent names {short(urgent.image)} instead)"
