"""Joins the two lists of a Flexible scale set: its instances and its virtual machines. Pure."""

import re
from collections.abc import Iterable

from reconciler.azure.arm import ATTACHED, image_of
from reconciler.azure.fields import Json, list_in, mapping_in, object_from, text_in
from reconciler.spec.image import Image, PlatformImage


def instance_rows(
    rows: Iterable[Json], machines: Iterable[Json], scale_set: str, image: Image | None
) -> list[Json]:
    """The instances of a Flexible scale set, each with the properties of its virtual machine.

    `scale_set` is the name of the scale set, and `image` is the image of its model. An entry of the
    instance list might contain only names, and its id is not the id of the virtual machine. A virtual machine
    without an entry is an instance too. Raises MalformedResponse if an entry or a virtual machine cannot be
    read.
    """
    virtual_machines = [object_from(machine, "a virtual machine") for machine in machines]
    by_key = {key: machine for machine in virtual_machines for key in _keys(machine)}
    found, joined = [], set()
    for row in rows:
        instance_row = object_from(row, "an instance")
        machine = next((by_key[key] for key in _keys(instance_row) if key in by_key), {})
        joined.add(text_in(machine, "name").casefold())
        found.append(_join(instance_row, machine, scale_set, image))
    alone = (machine for machine in virtual_machines if text_in(machine, "name").casefold() not in joined)
    return [*found, *(_join({"name": text_in(each, "name")}, each, scale_set, image) for each in alone)]


def _join(row: Json, machine: Json, scale_set: str, image: Image | None) -> Json:
    # Image and health come from the virtual machine alone, because one of the two lists might be older.
    own = mapping_in(machine, "properties")
    return {
        **row,
        "zones": list_in(machine, "zones") or list_in(row, "zones"),
        "properties": {
            **mapping_in(row, "properties"),
            **own,
            "instanceView": mapping_in(own, "instanceView"),
        },
        ATTACHED: bool(machine) and _was_attached(machine, scale_set, image),
    }


def _keys(resource: Json) -> list[str]:
    """The keys that can match an instance with its virtual machine, the most reliable key first."""
    machine_id = text_in(mapping_in(resource, "properties"), "virtualMachineResourceId") or text_in(
        resource, "id"
    )
    names = (text_in(resource, "name"), text_in(resource, "instanceId"), machine_id)
    return [name.casefold() for name in names if name]


def _was_attached(machine: Json, scale_set: str, image: Image | None) -> bool:
    """Whether this virtual machine was attached manually, so that its image does not come from the model.

    Azure creates a virtual machine for a scale set from an image, and names it after the scale set, with "_"
    and eight hexadecimal digits. The kind and the publisher of a scale set's image never change.
    """
    name, storage = text_in(machine, "name"), mapping_in(mapping_in(machine, "properties"), "storageProfile")
    if not re.fullmatch(rf"{re.escape(scale_set)}_[0-9a-f]{{8}}", name, re.IGNORECASE):
        return True
    if text_in(mapping_in(storage, "osDisk"), "createOption").casefold() == "attach":
        return True
    runs = image_of(storage)
    return runs is not None and image is not None and _lineage(runs) != _lineage(image)


def _lineage(image: Image) -> tuple[str, str]:
    """The kind and the publisher of an image, which never change in a scale set."""
    return image.kind, image.publisher.casefold() if isinstance(image, PlatformImage) else ""
