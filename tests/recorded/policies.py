"""What policies of a subscription write into a request before Azure accepts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.simulator.merge import merge
from tests.recorded.cassette import Interaction
from tests.recorded.world import scale_sets


def with_policies(interaction: Interaction) -> Any:
    """Return the body of a request with what policies of the subscription added to it.

    When a scale set is created, the tags and extensions that only the response has come from policies. In
    that case the rest of the guest's configuration comes from them too.
    """
    sent, row = interaction.sent, next(scale_sets(interaction.answer), None)
    if interaction.method != "PUT" or row is None or not isinstance(sent, Mapping):
        return sent
    tags, extensions = _strange(sent, row)
    if not (tags or extensions):
        return sent
    change = {
        "tags": {**tags, **(sent.get("tags") or {})},
        "properties": {
            "virtualMachineProfile": {
                "extensionProfile": {"extensions": _in_order([*_extensions(sent), *extensions], row)},
                "osProfile": row["properties"]["virtualMachineProfile"].get("osProfile"),
            }
        },
    }
    return merge(change, {**sent, "properties": _without_extensions(sent)})


def _without_extensions(sent: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(sent.get("properties") or {})
    profile = {**(properties.get("virtualMachineProfile") or {})}
    profile.pop("extensionProfile", None)
    return {**properties, "virtualMachineProfile": profile}


def _in_order(extensions: list[Mapping[str, Any]], row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names = [each["name"] for each in _extensions(row)]
    return sorted(
        extensions, key=lambda each: names.index(each["name"]) if each["name"] in names else len(names)
    )


def _strange(
    sent: Mapping[str, Any], row: Mapping[str, Any]
) -> tuple[dict[str, str], list[Mapping[str, Any]]]:
    own = sent.get("tags") or {}
    tags = {name: value for name, value in (row.get("tags") or {}).items() if name not in own}
    names = {each["name"] for each in _extensions(sent)}
    return tags, [each for each in _extensions(row) if each["name"] not in names]


def _extensions(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    profile = (row.get("properties") or {}).get("virtualMachineProfile") or {}
    return list((profile.get("extensionProfile") or {}).get("extensions") or [])
