"""The heat map of a scale set on a terminal, from the daemon's JSON.

Each letter stands for an image, and "a" for the declared image. The sign before the letter shows the health:
none for healthy, "~" for in transition, "!" for unhealthy, "_" for deallocated, "x" for being deleted. A "*"
after the letter means protected. Colours only repeat what the signs say.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.cli.grid import Line, Span

Json = Mapping[str, Any]

_SIGNS = {"healthy": " ", "returning": "~", "unhealthy": "!", "deallocated": "_", "leaving": "x"}
_STYLES = {"returning": "cyan", "unhealthy": "bold red", "deallocated": "dim", "leaving": "dim"}
_SPOT = 3  # cells of an instance
_GAP = 2
_KEY = "a letter is an image; ~ in transition  ! unhealthy  _ deallocated  x being deleted  * protected"


def heat_map_lines(found: Json, width: int | None) -> Iterator[Line]:
    """The maps and their legend. A cell that is too wide for `width` continues on the next line."""
    for map_ in found["maps"]:
        yield [("", "")]
        yield from _lines(map_, width or 10_000)
    if found["maps"]:
        yield [("", "")]
        yield [(_legend(found["legend"]), "")]
        yield [(_KEY, "dim")]


def _legend(legend: Sequence[Json]) -> str:
    named = (
        f"{each['letter']} {each['image']}{' (declared)' if each['declared'] else ''}: {each['instances']}"
        for each in legend
    )
    return "   ".join(named)


def _lines(map_: Json, width: int) -> Iterator[Line]:
    columns, head = list(map_["columns"]), f"placement group {map_['group'][:8]}" if map_["group"] else ""
    names = [f"{row['name']}  {row['summary']}" for row in map_["rows"]]
    if max(map(len, [head, *names])) + sum(len(each) + _GAP for each in columns) > width:
        names = [f"{_abbreviated(row['name'])}  {row['summary'].partition(' up')[0]}" for row in map_["rows"]]
        columns, head = list(map(_abbreviated, columns)), head.removeprefix("placement group ")
    first = max(map(len, [head, *names]))
    room = max(1, (width - first - _GAP * len(columns)) // len(columns) // _SPOT)
    fullest = [max(len(row["cells"][number]) for row in map_["rows"]) for number in range(len(columns))]
    widths = [max(len(name), _SPOT * min(most, room)) for name, most in zip(columns, fullest, strict=True)]
    header = "".join(f"{' ' * _GAP}{name:{wide}}" for name, wide in zip(columns, widths, strict=True))
    yield [(f"{head:{first}}{header}".rstrip(), "bold")]
    for name, row in zip(names, map_["rows"], strict=True):
        yield from _row(name.ljust(first), row["cells"], widths, room)


def _abbreviated(name: str) -> str:
    """The name of a domain, abbreviated for a narrow window.

    >>> _abbreviated("update domain 3"), _abbreviated("zone 1")
    ('UD 3', 'zone 1')
    """
    return name.replace("update domain", "UD").replace("fault domain", "FD")


def full_name(domain: str) -> str:
    """The full name of a domain, which a narrow window may have shown abbreviated.

    >>> full_name("UD 3"), full_name("zone 1, UD 3"), full_name("fault domain 2")
    ('update domain 3', 'zone 1, update domain 3', 'fault domain 2')
    """
    return domain.replace("UD", "update domain").replace("FD", "fault domain")


def _row(name: str, cells: Sequence[Sequence[Json]], widths: Sequence[int], room: int) -> Iterator[Line]:
    lines = max(1, *(-(-len(cell) // room) for cell in cells))
    for number in range(lines):
        line: list[Span] = [(name if number == 0 else " " * len(name), "")]
        for cell, wide in zip(cells, widths, strict=True):
            spots = cell[number * room : (number + 1) * room]
            line.append((" " * _GAP, ""))
            line += map(_spot, spots)
            line.append((" " * (wide - _SPOT * len(spots)), ""))
        yield line


def _spot(spot: Json) -> Span:
    sign, mark = _SIGNS.get(spot["health"], "?"), "*" if spot["protected"] else " "
    style = _STYLES.get(spot["health"]) or ("green" if spot["declared"] else "")
    return f"{sign}{spot['letter']}{mark}", f"{style} underline".strip() if spot["inBatch"] else style
