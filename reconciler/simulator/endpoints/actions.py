"""Actions on instances: manual upgrade, reimage, power, deletion and rolling upgrades.

`ACTIONS` has a row for each action that is not an upgrade. An action returns 202 and keeps the scale set
Updating until the action ends. An action is rejected if another operation is in progress on any of the
instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.simulator import errors, repairs
from reconciler.simulator.endpoints.call import Call, Reply, accept
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import Verb
from reconciler.simulator.operations import Operation
from reconciler.simulator.rolling import RollingUpgrade
from reconciler.simulator.scale_set import ScaleSet
from reconciler.simulator.upgrades import upgradable, upgrade


@dataclass(frozen=True, slots=True)
class Action:
    """An action that takes instances through the state changes of `verb`.

    With `spares_protected`, protected instances are skipped. With `everyone_by_default`, a request that names
    no instance affects all instances.
    """

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
    """Upgrade the named instances to the model. The charge counts only instances that need the upgrade."""
    scale_set = call.scale_set()
    ids = _ids(call)
    if not ids:
        # Azure's response to an empty list is not known; it certainly upgrades nothing.
        raise errors.missing_parameter("instanceIds")
    chosen = upgradable(_find(scale_set, ids))
    _refuse_busy(scale_set, chosen)
    operation = scale_set.begin("manualupgrade")
    scale_set.bump()
    if chosen:
        upgrade(scale_set, chosen, operation, cause="manualupgrade")
        operation.when_ended.append(lambda _: scale_set.bump())
    return accept(call, operation, charge=len(chosen))


def act(call: Call) -> Reply:
    """Run an action from `ACTIONS` on the instances that the body names.

    If the body names no instance, most actions run on all instances.
    """
    scale_set = call.scale_set()
    name = call.names["action"].lower()
    action = ACTIONS[name]
    ids = _ids(call) or (["*"] if action.everyone_by_default else [])
    if not ids:
        raise errors.missing_parameter("instanceIds")
    return _carry_out(call, scale_set, action, _find(scale_set, ids), name)


def act_on_one(call: Call) -> Reply:
    """Run an action on one instance, or on all if the path contains `*`. Protection is ignored."""
    scale_set = call.scale_set()
    name = call.names["action"].lower()
    action = Action(ACTIONS[name].verb)
    return _carry_out(call, scale_set, action, _find(scale_set, [call.names["instance"]]), name)


def os_rolling_upgrade(call: Call) -> Reply:
    """Start the platform's own upgrade to the newest version of the image."""
    scale_set = call.scale_set()
    if not scale_set.applied.image.follows_latest:
        raise errors.needs_latest()
    return accept(call, start_rolling_upgrade(scale_set), charge=0)


def extension_rolling_upgrade(call: Call) -> Reply:
    """Start a rolling upgrade to the model. Azure's own behaviour has not been recorded."""
    scale_set = call.scale_set()
    return accept(call, _roll(scale_set, "extensionrollingupgrade"), charge=0)


def start_rolling_upgrade(scale_set: ScaleSet) -> Operation:
    """Resolve `latest` again and start a rolling upgrade to the model."""
    _refuse_rolling(scale_set)
    scale_set.renew()
    if any(each.applied.image != scale_set.applied.image for each in scale_set.instances.values()):
        scale_set.outdate("osrollingupgrade")
    operation = _roll(scale_set, "osrollingupgrade")
    if scale_set.rolling is not None:
        scale_set.history.append(scale_set.rolling)
    return operation


def set_orchestration_service_state(call: Call) -> Reply:
    """Suspend or resume automatic repairs."""
    scale_set = call.scale_set()
    wanted = call.request.json()
    if str(wanted.get("serviceName")) != repairs.SERVICE or wanted.get("action") not in ("Suspend", "Resume"):
        raise errors.missing_parameter("serviceName" if "serviceName" not in wanted else "action")
    scale_set.repairs_suspended = wanted["action"] == "Suspend"
    repairs.watch_all(scale_set)
    return accept(call, scale_set.begin("setorchestrationservicestate"), charge=0)


def latest_rolling_upgrade(call: Call) -> Reply:
    """Return the current or latest rolling upgrade.

    Azure's error for a scale set that has never had a rolling upgrade has not been recorded.
    """
    scale_set = call.scale_set()
    if scale_set.rolling is None:
        raise errors.no_entity()
    return Reply(200, scale_set.rolling.body())


def cancel_rolling_upgrade(call: Call) -> Reply:
    scale_set = call.scale_set()
    if scale_set.rolling is None or not scale_set.rolling.is_running:
        raise errors.no_rolling_upgrade()
    operation = scale_set.begin("cancel")
    scale_set.rolling.cancel()
    return accept(call, operation, charge=0)


def _carry_out(call: Call, scale_set: ScaleSet, action: Action, found: list[Instance], name: str) -> Reply:
    chosen = [instance for instance in found if not (action.spares_protected and instance.protected)]
    is_reimage = action.verb == "replace"
    exact = call.request.json().get("exactVersion") if is_reimage else None
    targets = [scale_set.reimage_target(each.applied, exact) if is_reimage else None for each in chosen]
    _refuse_busy(scale_set, chosen)
    operation = scale_set.begin(name)
    scale_set.bump()
    if name == "delete":
        counted = [each for each in chosen if each.id not in scale_set.surplus]
        scale_set.capacity = max(0, scale_set.capacity - len(counted))
    for instance, target in zip(chosen, targets, strict=True):
        verb: Verb = "refuse" if operation.forced_error else action.verb
        cause = "reimage" if name.startswith("reimage") else name
        instance.run(verb, cause=cause, operation=operation, target=target)
    return accept(call, operation, charge=len(chosen))


def _roll(scale_set: ScaleSet, kind: str) -> Operation:
    _refuse_rolling(scale_set)
    operation = scale_set.begin(kind)
    scale_set.rolling = RollingUpgrade(scale_set, operation, by="User")
    scale_set.rolling.proceed()
    return operation


def _refuse_rolling(scale_set: ScaleSet) -> None:
    if scale_set.rolling is not None and scale_set.rolling.is_running:
        raise errors.conflict()


def _ids(call: Call) -> list[str]:
    """Return the instance ids in the body, or [] if the body names no instance."""
    named = call.request.json().get("instanceIds")
    if named is not None and not isinstance(named, list):
        raise errors.bad_value("instanceIds")
    return named or []


def _find(scale_set: ScaleSet, ids: list[str]) -> list[Instance]:
    found = scale_set.find(str(each) for each in ids)
    if isinstance(found, str):
        raise errors.inactive_instance(found)
    return found


def _refuse_busy(scale_set: ScaleSet, chosen: list[Instance]) -> None:
    scale_set.refuse_haste()
    _refuse_rolling(scale_set)
    if scale_set.is_deleting or any(instance.is_busy for instance in chosen):
        # The request is charged nevertheless, as was observed.
        raise errors.conflict(charge=len(chosen))
