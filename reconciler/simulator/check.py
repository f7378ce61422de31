"""The mistakes of a fleet file, each after its file and line, as compilers write them."""

from __future__ import annotations

from pathlib import Path

import yaml

from reconciler.simulator.clock import VirtualClock
from reconciler.simulator.cloud import Cloud
from reconciler.simulator.declared import FleetError, Place
from reconciler.simulator.faults import Faults
from reconciler.simulator.fleet import build, read_fleet


def check_fleet(path: str | Path) -> list[str]:
    """Every mistake that can be found without serving the file; none if it is right."""
    try:
        build(read_fleet(path), Cloud(VirtualClock()), Faults())
    except FleetError as error:
        return locate(path, error)
    return []


def locate(path: str | Path, error: FleetError) -> list[str]:
    """The lines of the error, each after the file and the line that it is about, in the order of the file."""
    if not error.mistakes:
        return [str(error)]
    root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    lines = [_line(root, mistake.place) for mistake in error.mistakes]
    told = sorted(zip(lines, str(error).splitlines(), strict=True), key=lambda each: each[0])
    return [f"{path}:{line}: {text}" for line, text in told]


def _line(root: yaml.Node | None, place: Place) -> int:
    """The line of the last part of the place that is in the file; that of its name, where it has one."""
    node, mark = root, root and root.start_mark
    for part in place:
        below = _below(node, part)
        if below is None:
            break
        name, node = below
        mark = name.start_mark
    return mark.line + 1 if mark else 1


def _below(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that names a part of `node`, and the part."""
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
