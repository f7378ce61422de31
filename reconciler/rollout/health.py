"""The state of an instance as a rollout sees it: healthy, in transition, or unhealthy."""

from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.rollout.observed import HealthSource, Instance

# Azure does not report the result of a load balancer's probe per instance, so the probe gets time to take an
# instance back: twice the default of two answers, 15 seconds apart.
_PROBING = timedelta(minutes=1)

# For this long after the last change of an instance, its instance view can omit installed extensions, because
# the agent reports them only after the boot.
_STARTING = timedelta(minutes=5)

# Problems whose words form a clause. `describe` words them differently for several instances.
POWER_UNKNOWN = "power state unknown"
HEALTH_UNKNOWN = "health unknown"
HEALTH_MISSING = "no health reported yet"

_AT_WORK = frozenset({"creating", "updating", "deleting", "migrating"})
# Azure does not always report the power state of a serving instance, and for some instances never does.
_UNSURE = frozenset({"", "unknown"})


class State(StrEnum):
    """Whether an instance serves its users."""

    HEALTHY = "healthy"  # running, and healthy if its health is known
    IN_TRANSITION = "returning"  # Azure is changing it, or it has not reported its health yet
    UNHEALTHY = "unhealthy"  # not in transition, and not serving
    DEALLOCATED = "deallocated"  # by a person or a Spot eviction
    LEAVING = "leaving"  # being deleted


def state_of(instance: Instance, source: HealthSource, at: datetime) -> State:
    """The state of `instance` at the moment `at`.

    Health "unknown" counts as unhealthy, as in Azure's rolling upgrades. The power state "stopped" counts as
    unhealthy too, unlike "deallocated". A guest can power itself off, so a bad image can cause this state,
    and the rollout must then stop.
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
    """The state of an instance whose power state and health are unknown.

    For some instances, Azure never reports the power state. If nothing can report the health either, the
    provisioning state decides once the instance has had time to boot.
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
    """Whether the health extension of the instance is installed but has not reported yet.

    `latest_model` alone does not show whether the extension is installed: any change to the model makes
    `latest_model` false, even for instances that have the extension. An instance that started moments ago
    might not list its extensions yet.
    """
    return instance.latest_model or instance.has_health_extension or _changed_within(_STARTING, instance, at)


def _changed_within(span: timedelta, instance: Instance, at: datetime) -> bool:
    return instance.since is None or at - instance.since < span


def is_in_transition(provisioning: str) -> bool:
    """Whether this provisioning state means that Azure is changing the instance or the scale set."""
    return provisioning in _AT_WORK


def is_power_known(instance: Instance) -> bool:
    return instance.power not in _UNSURE


def is_readable(instance: Instance) -> bool:
    """Whether Azure reported enough about the instance to judge its health.

    Azure must have reported a provisioning state and, if provisioning succeeded, the time at which it did.
    """
    return bool(instance.provisioning) and (
        instance.provisioning != "succeeded" or instance.since is not None
    )


def serves(instance: Instance) -> bool:
    """Whether the instance is known to serve, even if Azure reports its provisioning as failed."""
    return (instance.power == "running" or not is_power_known(instance)) and instance.health == "healthy"


def is_unknown(instance: Instance) -> bool:
    """Whether Azure reports too little about the instance to tell whether it serves."""
    return instance.provisioning == "succeeded" and not is_power_known(instance) and not instance.health


def describe_problem(instance: Instance) -> str:
    """The problem with the instance, in Azure's words: "unhealthy", "stopped", "failed with CODE"."""
    if instance.provisioning != "succeeded":
        return f"{instance.provisioning} with {instance.error}" if instance.error else instance.provisioning
    if not is_power_known(instance) and not instance.health:
        return POWER_UNKNOWN
    if is_power_known(instance) and instance.power != "running":
        return instance.power
    return HEALTH_UNKNOWN if instance.health == "unknown" else instance.health or HEALTH_MISSING
