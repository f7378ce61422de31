"""The images in a cassette: those in catalogues, and those that scale sets and instances name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from reconciler.simulator.catalogue import ID_FIELDS, kind_of
from tests.recorded.cassette import Cassette, Interaction

VERSION = re.compile(
    r"/publishers/(?P<publisher>[^/]+)/artifacttypes/vmimage"
    r"/offers/(?P<offer>[^/]+)/skus/(?P<sku>[^/]+)/versions(/(?P<version>[^/]+))?",
    re.I,
)
# The version of an image that was only requested as the latest.
SOME_VERSION = "0.0.1"
# For machines without a known image.
SOME_IMAGE = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "unseen", "version": SOME_VERSION}


def images_of(cassette: Cassette) -> Iterator[str]:
    """Return the names of the images in the cassette, and one for machines without a known image."""
    yield ":".join(SOME_IMAGE.values())
    for each in cassette.interactions:
        yield from _versions(each)
        for part in (each.sent, each.answer):
            for storage in _storages(part):
                yield from _names(storage)


def _versions(interaction: Interaction) -> Iterator[str]:
    match = VERSION.search(interaction.path)
    if match is None or interaction.status >= 400:
        return
    family = [unquote(match[part]) for part in ("publisher", "offer", "sku")]
    rows = interaction.answer if isinstance(interaction.answer, list) else [interaction.answer]
    for row in rows:
        yield ":".join((*family, row["name"]))


def _storages(body: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(body, Mapping):
        if isinstance(body.get("storageProfile"), Mapping):
            yield body["storageProfile"]
        for each in body.values():
            yield from _storages(each)
    elif isinstance(body, list):
        for each in body:
            yield from _storages(each)


def _names(storage: Mapping[str, Any]) -> Iterator[str]:
    reference = storage.get("imageReference") or {}
    kind = kind_of(storage)
    exact = reference.get("exactVersion") or reference.get("version") or "latest"
    exact = SOME_VERSION if exact.lower() == "latest" else exact
    if kind == "vhd":
        yield storage["osDisk"]["image"]["uri"]
    elif kind == "platform":
        yield ":".join((*(reference.get(part, "") for part in ("publisher", "offer", "sku")), exact))
    elif kind is not None:
        name = str(reference[ID_FIELDS[kind]])
        has_version = kind == "managed" or "/versions/" in name.lower()
        yield name if has_version else f"{name}/versions/{exact}"
