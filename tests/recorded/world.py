"""The cloud of a cassette, as far as its responses show it: groups, images, ids and states of instances."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, cast
from urllib.parse import unquote

from reconciler.simulator import Simulator
from reconciler.simulator.catalogue import kind_of_name
from reconciler.simulator.generations import generation_of
from reconciler.simulator.instance import Instance
from reconciler.simulator.life import Stage
from reconciler.simulator.scale_set import ScaleSet
from tests.recorded.cassette import Cassette, Interaction
from tests.recorded.images import images_of

SET = re.compile(
    r"(?P<id>/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Compute/virtualMachineScaleSets/(?P<name>[^/]+))(?P<rest>/.*)?",
    re.I,
)
GROUP = re.compile(r"/subscriptions/(?P<subscription>[^/]+)(?:/resourceGroups/(?P<group>[^/]+))?", re.I)
INSTANCE = re.compile(r"/virtualMachines/(?P<id>[^/*]+)", re.I)
STATUS = re.compile(r'"(Provisioning|Power)State/(\w+)"')
SETS = "microsoft.compute/virtualmachinescalesets"
CREATED, REFUSED = 201, 400
MOVING = ("creating", "updating", "deleting")
UNOBSERVED = "unseen"
SETTLED, SOON = Stage("", "succeeded"), timedelta(seconds=1)


def prepare(simulator: Simulator, cassette: Cassette) -> None:
    """Create the groups and images that exist before the first request."""
    for each in cassette.interactions:
        match = GROUP.match(each.path)
        if match and error_of(each) != "ResourceGroupNotFound":
            simulator.cloud.put_group(match["subscription"], match["group"] or UNOBSERVED, _location(each))
        for row in scale_sets(each.answer):
            place = GROUP.match(row["id"])
            if place and place["group"]:
                simulator.cloud.put_group(place["subscription"], place["group"], str(row["location"]))
    made_here = {each.path.lower() for each in cassette.interactions if each.status == CREATED}
    for name in images_of(cassette):
        if name.lower() not in made_here:
            # An image with an id fits every size: no recording shows for which size it was created.
            generation = generation_of(name) if kind_of_name(name) == "platform" else "V1"
            simulator.cloud.catalogue.publish(name, generation=generation)


def scale_sets(answer: Any) -> Iterator[Mapping[str, Any]]:
    """Return the scale sets that a response contains completely."""
    return (
        row for row in rows_of(answer) if str(row.get("type", "")).lower() == SETS and "properties" in row
    )


def without_strangers(answer: Any, cassette: Cassette) -> Any:
    """Return the response without listed scale sets that no request of the cassette concerns."""
    rows = list(scale_sets(answer))
    if not rows or "value" not in answer:
        return answer
    responses = (each.answer for each in cassette.interactions if SET.match(each.path))
    own = {row["properties"].get("uniqueId") for each in responses for row in scale_sets(each)}
    return {**answer, "value": [row for row in rows if row["properties"].get("uniqueId") in own]}


def error_of(interaction: Interaction) -> str:
    answer = interaction.answer if isinstance(interaction.answer, Mapping) else {}
    return str((answer.get("error") or {}).get("code", ""))


def all_ids(interactions: Iterable[Interaction]) -> list[str]:
    return [name for each in interactions for name in instance_ids(each)]


def instance_ids(interaction: Interaction) -> list[str]:
    """Return the instances that an interaction concerns and that existed."""
    match = SET.match(interaction.path)
    if match is None or interaction.status >= REFUSED:
        return []
    rest = unquote(match["rest"] or "")
    if one := INSTANCE.match(rest):
        return [one["id"]]
    if rest.lower() == "/virtualmachines":
        return [
            str(row.get("instanceId") or row["id"].rpartition("/")[2]) for row in rows_of(interaction.answer)
        ]
    sent = interaction.sent if isinstance(interaction.sent, Mapping) else {}
    return [str(each) for each in sent.get("instanceIds") or [] if each != "*"]


def settle(scale_set: ScaleSet, interaction: Interaction, *, is_first: bool) -> None:
    """Put the instances that are read into their recorded states.

    Azure still works on some instances when their scale set has settled, and on others when a cassette
    begins. `is_first`: nothing in the replay has led to their power state yet.
    """
    ids = instance_ids(interaction)
    rows = rows_of(interaction.answer)
    if scale_set.running or len(ids) != len(rows):
        return
    for instance_id, row in zip(ids, rows, strict=True):
        text = json.dumps(row)
        found = dict(STATUS.findall(text))
        provisioning = found.get("Provisioning") or _provisioning(row)
        instance = scale_set.instances.get(instance_id)
        if instance is not None and provisioning in MOVING:
            power = found.get("Power") if is_first else None
            _move(instance, Stage("", cast(Any, provisioning), cast(Any, power)))


def _move(instance: Instance, stage: Stage) -> None:
    """Enter a stage that ends soon."""
    instance.enter(stage, cause="recorded", target=instance.applied)
    clock = instance.owner.cloud.clock
    clock.after(SOON, lambda: instance.enter(SETTLED, cause="recorded", target=instance.applied))


def _provisioning(row: Mapping[str, Any]) -> str:
    return str((row.get("properties") or {}).get("provisioningState", "")).lower()


def rename(scale_set: ScaleSet, wanted: Iterable[str], kept: frozenset[str]) -> None:
    """Give the ids `wanted` to instances of the scale set that are not among `kept`."""
    lacking = [each for each in wanted if each not in scale_set.instances]
    spare = [each for each in scale_set.instances if each not in kept]
    names = dict(zip(spare, lacking, strict=False))
    if not names:
        return
    instances = list(scale_set.instances.values())
    scale_set.instances.clear()
    for instance in instances:
        instance.id = names.get(instance.id, instance.id)
        if instance.id.isdigit():
            instance.number = instance.slot = int(instance.id)
            instance.domain = scale_set.placement.of(instance.slot)
        scale_set.instances[instance.id] = instance
    scale_set.instances = dict(sorted(scale_set.instances.items(), key=lambda each: each[1].number))
    scale_set.next_number = 1 + max(each.number for each in scale_set.instances.values())


def rows_of(answer: Any) -> list[Mapping[str, Any]]:
    found = answer.get("value", answer) if isinstance(answer, Mapping) else []
    rows = found if isinstance(found, list) else [found]
    return [row for row in rows if isinstance(row, Mapping)]


def _location(interaction: Interaction) -> str:
    return next((str(row["location"]) for row in scale_sets(interaction.answer)), "westus")
