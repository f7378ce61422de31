"""What state an instance is in, seen as the rollout must see it: can it be left, is it coming, is it lost?"""

from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.rollout.observed import HealthSource, Instance

# What a load balancer's probe finds is not told per instance, so it is given time to find out: twice the
# default of two answers, 15 seconds apart.
_PROBING = timedelta(minutes=1)

# How long after its last change an instance's view may not name the extensions that it carries: its agent
# reports them once it runs, which takes a boot.
_STARTING = timedelta(minutes=5)

_AT_WORK = frozenset({"creating", "updating", "deleting", "migrating"})
# Azure does not always tell the power state of an instance that serves, and of some it never does.
_UNSURE = frozenset({"", "unknown"})


class State(StrEnum):
    """How an instance stands with respect to serving its users."""

    HEALTHY = "healthy"  # running, and healthy where its health is known
    IN_TRANSITION = "returning"  # Azure is at work on it, or it has not reported its health yet
    UNHEALTHY = "unhealthy"  # at rest, and not serving
    DEALLOCATED = "deallocated"  # given back to Azure, by a person or a Spot eviction
    LEAVING = "leaving"  # being deleted


def state_of(instance: Instance, source: HealthSource, at: datetime) -> State:
    """How `instance` stands at the moment `at`.

    "Unknown" health counts as unhealthy, as in Azure's rolling upgrades.

    "PowerState/stopped" is broken and not set aside like a deallocated one: a guest can power itself off,
    so a bad image can, and the rollout must stop at it.
    """
    if instance.provisioning == "deleting":
        return State.LEAVING
    if is_in_transition(instance.provisioning):
        return State.IN_TRANSITION
    if instance.provisioning == "failed":
        return State.UNHEALTHY
    if instance.power in {"deallocated", "deallocating"}:
        return State.DEALLOCATED
    if instance.power == "starting":
        return State.IN_TRANSITION
    if not is_power_known(instance) and not instance.health:
        return _state_without_power(instance, source, at)
    if is_power_known(instance) and instance.power != "running":
        return State.UNHEALTHY
    return _health(instance, source, at)


def _state_without_power(instance: Instance, source: HealthSource, at: datetime) -> State:
    """How it stands where nothing tells whether it runs.

    Of some, Azure never tells a power state. Where nothing could report the health of such a one either, it
    is taken at Azure's word that it was provisioned, once it had the time to boot.
    """
    if instance.power or source is HealthSource.EXTENSION:
        return State.UNHEALTHY
    return State.IN_TRANSITION if _changed_within(_STARTING, instance, at) else State.HEALTHY


def _health(instance: Instance, source: HealthSource, at: datetime) -> State:
    match instance.health:
        case "healthy":
            return State.HEALTHY
        case "initializing":
            return State.IN_TRANSITION
        case "" if source is HealthSource.EXTENSION and _awaits_health_report(instance, at):
            return State.IN_TRANSITION
        case "" if source is HealthSource.PROBE and _changed_within(_PROBING, instance, at):
            return State.IN_TRANSITION
        case "":
            return State.HEALTHY  # nothing that could report health is on this instance
        case _:
            return State.UNHEALTHY


def _awaits_health_report(instance: Instance, at: datetime) -> bool:
    """Whether its health extension has yet to speak, and not merely to be installed by a later upgrade.

    `latest_model` alone does not tell: any change of the model turns it false on instances that carry the
    extension. One that started moments ago may not show yet what it carries.
    """
    return instance.latest_model or instance.has_health_extension or _changed_within(_STARTING, instance, at)


def _changed_within(span: timedelta, instance: Instance, at: datetime) -> bool:
    return instance.since is None or at - instance.since < span


def is_in_transition(provisioning: str) -> bool:
    """Whether Azure is changing what has this provisioning state: an instance, or a whole scale set."""
    return provisioning in _AT_WORK


def is_power_known(instance: Instance) -> bool:
    """Whether Azure says that it runs, or that it does not."""
    return instance.power not in _UNSURE


def is_readable(instance: Instance) -> bool:
    """Whether the row says enough to judge it: a state, and once it is at rest since when."""
    return bool(instance.provisioning) and (
        instance.provisioning != "succeeded" or instance.since is not None
    )


def serves(instance: Instance) -> bool:
    """Whether it is known to do its work, even if Azure calls its provisioning failed."""
    return (instance.power == "running" or not is_power_known(instance)) and instance.health == "healthy"


def is_unknown(instance: Instance) -> bool:
    """Whether nothing tells that it serves, nor that it does not."""
    return instance.provisioning == "succeeded" and not is_power_known(instance) and not instance.health


def describe_problem(instance: Instance) -> str:
    """What is wrong with it, in Azure's words, for a message: "unhealthy", "stopped", "failed (code)"."""
    if instance.provisioning != "succeeded":
        return f"{instance.provisioning} ({instance.error})" if instance.error else instance.provisioning
    if not is_power_known(instance) and not instance.health:
        return "power state unknown"
    if is_power_known(instance) and instance.power != "running":
        return instance.power
    return instance.health or "no health reported yet"
