"""What is done to instances in bulk: manual upgrade, reimage, power, deletion, the rolling upgrade.

`ACTIONS` has a row per action; every one of them answers 202, refuses instances that another operation is
busy with, and leaves the scale set Updating until it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.simulator import errors
from reconciler.simulator.endpoints.call import Call, Reply, accepted
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import Verb
from reconciler.simulator.rolling import RollingUpgrade
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.upgrades import bring, due


@dataclass(frozen=True, slots=True)
class Action:
    """`verb` is the course it sends instances on; `spares_protected` whether protection keeps them off."""

    verb: Verb
    spares_protected: bool = False
    everyone_by_default: bool = True


ACTIONS: Mapping[str, Action] = {
    "reimage": Action("replace", spares_protected=True),
    "reimageall": Action("replace", spares_protected=True),
    "restart": Action("restart", spares_protected=True),
    "start": Action("start"),
    "poweroff": Action("poweroff", spares_protected=True),
    "deallocate": Action("deallocate", spares_protected=True),
    "delete": Action("delete", everyone_by_default=False),
}


def manual_upgrade(call: Call) -> Reply:
    """Bring the named instances to the model. Charged for those that were behind it."""
    scale_set = call.scale_set()
    ids = call.request.json().get("instanceIds")
    if not ids:
        # What Azure says to an empty list is not known; it certainly upgrades nothing.
        raise errors.missing_parameter("instanceIds")
    chosen = due(_named(scale_set, ids))
    _refuse_busy(scale_set, chosen)
    operation = scale_set.begin("manualupgrade")
    scale_set.bump()
    if chosen:
        bring(scale_set, chosen, operation, cause="manualupgrade")
        operation.when_ended.append(lambda _: scale_set.bump())
    return accepted(call, operation, charge=len(chosen))


def act(call: Call) -> Reply:
    """An action of `ACTIONS` on the instances the body names, or on all."""
    scale_set = call.scale_set()
    name = call.names["action"].lower()
    action = ACTIONS[name]
    ids = call.request.json().get("instanceIds") or (["*"] if action.everyone_by_default else [])
    if not ids:
        raise errors.missing_parameter("instanceIds")
    return _carried_out(call, scale_set, action, _named(scale_set, ids), name)


def act_on_one(call: Call) -> Reply:
    """The same on one instance; protection does not hold against it. A path may say `*` for all."""
    scale_set = call.scale_set()
    name = call.names["action"].lower()
    action = Action(ACTIONS[name].verb)
    return _carried_out(call, scale_set, action, _named(scale_set, [call.names["instance"]]), name)


def os_rolling_upgrade(call: Call) -> Reply:
    """Start the platform's own upgrade to the newest version of the image."""
    scale_set = call.scale_set()
    if not scale_set.applied.image.follows_latest:
        message = (
            "The OS Rolling Upgrade API cannot be used on a Virtual Machine Scale Set unless the Virtual "
            "Machine Scale Set has some unprotected instances which have imageReference.version set to "
            "latest."
        )
        raise errors.not_allowed(message)
    start_rolling_upgrade(scale_set)
    assert scale_set.rolling is not None  # noqa: S101 - just started
    return accepted(call, scale_set.rolling.operation, charge=0)


def start_rolling_upgrade(scale_set: ScaleSet) -> None:
    """Roll whatever is behind the model, taken anew so that `latest` is the newest there is now."""
    if scale_set.rolling is not None and scale_set.rolling.is_running:
        raise errors.conflict()
    scale_set.change(scale_set.body, cause="osrollingupgrade")
    operation = scale_set.begin("osrollingupgrade")
    scale_set.rolling = RollingUpgrade(scale_set, operation, by="User")
    scale_set.rolling.proceed()


def latest_rolling_upgrade(call: Call) -> Reply:
    scale_set = call.scale_set()
    if scale_set.rolling is None:
        raise errors.no_entity()
    return Reply(200, scale_set.rolling.body())


def cancel_rolling_upgrade(call: Call) -> Reply:
    scale_set = call.scale_set()
    if scale_set.rolling is None or not scale_set.rolling.is_running:
        raise errors.not_allowed("There is no ongoing Rolling Upgrade to cancel.")
    operation = scale_set.begin("cancel")
    scale_set.rolling.cancel()
    return accepted(call, operation, charge=0)


def _carried_out(call: Call, scale_set: ScaleSet, action: Action, found: list[Instance], name: str) -> Reply:
    chosen = [instance for instance in found if not (action.spares_protected and instance.protected)]
    _refuse_busy(scale_set, chosen)
    operation = scale_set.begin(name)
    scale_set.bump()
    if name == "delete":
        scale_set.capacity = max(0, scale_set.capacity - len(chosen))
    for instance in chosen:
        verb: Verb = "refuse" if operation.sabotage else action.verb
        target = scale_set.reimaged(instance) if action.verb == "replace" else None
        cause = "reimage" if name.startswith("reimage") else name
        instance.send(verb, cause=cause, operation=operation, target=target)
    return accepted(call, operation, charge=len(chosen))


def _named(scale_set: ScaleSet, ids: list[str]) -> list[Instance]:
    found = scale_set.find(str(each) for each in ids)
    if isinstance(found, str):
        raise errors.inactive_instance(found)
    return found


def _refuse_busy(scale_set: ScaleSet, chosen: list[Instance]) -> None:
    is_rolling = scale_set.rolling is not None and scale_set.rolling.is_running
    if is_rolling or scale_set.is_deleting or any(instance.is_busy for instance in chosen):
        raise errors.conflict()
