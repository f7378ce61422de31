"""Lists what a copy of a scale set lacks because a fleet file cannot express it. Pure.

The copy was read back from the simulator, so every difference is something that the fleet file lacks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.azure.description import Description
from reconciler.rehearsal.fleet_entry import present
from reconciler.rollout.observed import Instance, Model
from reconciler.spec.image import Image, key
from reconciler.spec.wording import count, shorten

# The name of each fact, and the value that is compared.
_OF_SCALE_SET: Mapping[str, Callable[[Description], Any]] = {
    "region": lambda one: one.model.location,
    "image": lambda one: _image(one.model.image),
    "capacity": lambda one: one.model.capacity,
    "provisioning state": lambda one: one.model.provisioning,
    "upgrade mode": lambda one: one.model.mode,
    "orchestration mode": lambda one: one.model.orchestration.casefold(),
    "automatic OS upgrades": lambda one: one.model.automatic_os_upgrade,
    "health source": lambda one: str(one.model.health_source),
    "grace period of the health extension": lambda one: one.model.health_grace,
    "notification before an upgrade": lambda one: one.model.os_image_notice,
    "notification before a deletion": lambda one: one.model.terminate_notice,
    "priority Spot": lambda one: one.model.is_spot,
    "eviction policy": lambda one: _eviction(one.model),
    "disk size": lambda one: one.model.disk_size,
    "security type": lambda one: one.model.security_type.replace("Standard", ""),
    "purchase plan": lambda one: str(one.model.plan or ""),
    "tags": lambda one: dict(one.model.tags),
    "owner": lambda one: one.model.owner,
    "size": lambda one: one.size,
    "zones": lambda one: sorted(one.zones),
    "number of fault domains": lambda one: one.fault_domains,
    "overprovisioning": lambda one: one.overprovision,
    "automatic repairs": lambda one: one.repairs and f"{one.repairs.action} after {one.repairs.grace}",
    "restoration of Spot instances": lambda one: one.spot_restore,
    "rolling upgrade by Azure": lambda one: one.rolling_upgrade.running and one.rolling_upgrade.code,
}
_OF_INSTANCE: Mapping[str, Callable[[Instance], Any]] = {
    "image": lambda one: _image(one.image),
    "latestModelApplied": lambda one: one.latest_model,
    "provisioning state": lambda one: one.provisioning,
    "power state": lambda one: one.power,
    "health": lambda one: one.health,
    "health extension": lambda one: one.has_health_extension,
    "error": lambda one: one.error,
    "zone": lambda one: one.zone,
    "update domain": lambda one: one.update_domain,
    "fault domain": lambda one: one.fault_domain,
    "generation": lambda one: one.generation,
}
# Azure did not send a fact that has one of these values. For the facts in _ANY_WILL_DO, the copy can then
# have any value.
_UNSENT = (None, "")
_ANY_WILL_DO = frozenset({"disk size", "eviction policy", "number of fault domains", "latestModelApplied"})


def omissions(live: Description, copy: Description) -> Iterator[str]:
    """A line for each fact about the scale set that the copy lacks."""
    return (f"{live.target.name}: {each}" for each in (*_of_model(live, copy), *_of_instances(live, copy)))


def _of_model(live: Description, copy: Description) -> Iterator[str]:
    if leaving := len(live.instances) - len(present(live)):
        yield f"{count(leaving, 'instance')} that {'is' if leaving == 1 else 'are'} being deleted"
    for word, value in _OF_SCALE_SET.items():
        if _differs(word, value(live), value(copy)):
            yield f"{word} {_shown(value(live))}".rstrip()


def _of_instances(live: Description, copy: Description) -> Iterator[str]:
    """A line for each kind of fact that differs, with the value of one instance as an example."""
    copies = {each.id: each for each in copy.instances}
    values: dict[str, list[Any]] = defaultdict(list)
    for each in present(live):
        if (other := copies.get(each.id)) is None:
            values["instance"].append(each.name)
            continue
        for word, value in _OF_INSTANCE.items():
            if _differs(word, value(each), value(other)):
                values[word].append(value(each))
        if each.id in live.kept - copy.kept:
            values["protection from scale-in"].append("")
    for word, found in values.items():
        yield " ".join(filter(None, (word, _shown(found[0]), "of", count(len(found), "instance"))))


def _differs(word: str, one: Any, other: Any) -> bool:
    return bool(one != other and not (word in _ANY_WILL_DO and one in _UNSENT))


def _image(image: Image | None) -> object:
    return image and key(image)[1].removesuffix("/versions/latest")


def _eviction(model: Model) -> str:
    return model.eviction_policy if model.is_spot else ""


def _shown(value: Any) -> str:
    """The value as a message shows it. Tags are not shown, because a tag can contain anything."""
    if isinstance(value, dict) or value in (None, "", True, False):
        return ""
    return shorten(", ".join(map(str, value)) if isinstance(value, list) else str(value))
