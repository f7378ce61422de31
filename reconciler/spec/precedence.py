"""The order of scale sets: by `dependsOn`, and by wave among scale sets with the same image.

Names in `dependsOn` that no spec declares are ignored here, and reported when the scale set is reconciled.
Suspended scale sets count like any others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from reconciler.spec.image import key
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class _Wave:
    """The scale sets in one wave with one image. The scale sets in the next wave wait for them."""

    image: tuple[str, str]
    number: int


_Node = str | _Wave  # the name of a scale set, or a wave
_Graph = Mapping[_Node, Sequence[_Node]]


@dataclass(frozen=True, slots=True)
class Link:
    """The scale set `name` waits for the scale set `on`.

    If the cause is a wave, `wave` is the earlier wave that `on` is in. If it is `dependsOn`, `wave` is None.
    """

    name: str
    on: str
    wave: int | None = None


def levels(scale_sets: Sequence[ScaleSet]) -> tuple[tuple[ScaleSet, ...], ...]:
    """The scale sets in levels, each of which waits only for earlier levels.

    A level keeps the given order. Scale sets in a cycle come last. Specs without errors have no cycles.
    """
    stuck = {link.name for cycle in cycles(scale_sets) for link in cycle}
    graph = _graph([each for each in scale_sets if each.name not in stuck])
    depths: dict[_Node, int] = {}
    for node in TopologicalSorter(graph).static_order():
        below = max((depths[each] for each in graph[node]), default=-1)
        depths[node] = below if isinstance(node, _Wave) else below + 1
    last = max(depths.values(), default=-1) + 1
    found: list[list[ScaleSet]] = [[] for _ in range(last + 1)]
    for each in scale_sets:
        found[depths.get(each.name, last)].append(each)
    return tuple(tuple(level) for level in found if level)


def cycles(scale_sets: Sequence[ScaleSet]) -> Iterator[tuple[Link, ...]]:
    """The cycles of scale sets that wait for each other. No scale set is in more than one of these cycles."""
    # Finding a cycle takes a pass over one part alone, so many small cycles cost no more than a large one.
    for part in _parts(sorted(scale_sets, key=lambda each: each.name)):
        left = part
        while cycle := _cycle(_graph(left)):
            yield cycle
            names = {link.name for link in cycle}
            left = [each for each in left if each.name not in names]


def _graph(scale_sets: Sequence[ScaleSet]) -> _Graph:
    """The nodes that each node waits for."""
    names = {each.name for each in scale_sets}
    waves: dict[tuple[str, str], dict[int, list[_Node]]] = {}
    for each in scale_sets:
        waves.setdefault(key(each.image), {}).setdefault(each.wave, []).append(each.name)
    graph: dict[_Node, Sequence[_Node]] = {}
    for each in scale_sets:
        image = key(each.image)
        earlier = max((wave for wave in waves[image] if wave < each.wave), default=None)
        before = [] if earlier is None else [_Wave(image, earlier)]
        graph[each.name] = [*(name for name in each.depends_on if name in names), *before]
    for image, members in waves.items():
        graph |= {_Wave(image, number): members[number] for number in sorted(members)[:-1]}
    return graph


def _parts(scale_sets: Sequence[ScaleSet]) -> Iterator[list[ScaleSet]]:
    """The groups of scale sets that wait for each other, directly or indirectly.

    These are the strongly connected components. A single scale set is left out unless it waits for itself.
    """
    graph = _graph(scale_sets)
    by_name = {each.name: each for each in scale_sets}
    parts = [sorted(each for each in found if isinstance(each, str)) for found in _components(graph)]
    for names in sorted(filter(None, parts)):
        if len(names) > 1 or names[0] in graph[names[0]]:
            yield [by_name[name] for name in names]


def _components(graph: _Graph) -> Iterator[list[_Node]]:
    """The strongly connected components, by Tarjan's algorithm, without recursion."""
    numbers: dict[_Node, int] = {}  # in the order of the visits
    lowest: dict[_Node, int] = {}  # the lowest number that is reached from a node
    stack: list[_Node] = []
    is_on_stack: set[_Node] = set()
    for root in graph:
        path = [(root, iter(graph[root]))] if root not in numbers else []
        while path:
            node, nexts = path[-1]
            if node not in numbers:
                numbers[node] = lowest[node] = len(numbers)
                stack.append(node)
                is_on_stack.add(node)
            for each in nexts:
                if each not in numbers:
                    path.append((each, iter(graph[each])))
                    break
                if each in is_on_stack:
                    lowest[node] = min(lowest[node], numbers[each])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == numbers[node]:
                    component = [stack.pop()]
                    while component[-1] != node:
                        component.append(stack.pop())
                    is_on_stack.difference_update(component)
                    yield component


def _cycle(graph: _Graph) -> tuple[Link, ...]:
    """One cycle, starting at its alphabetically first name, or () if there is no cycle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        waited_for: list[_Node] = error.args[1][1:]
        nodes = waited_for[::-1]
        start = nodes.index(min(each for each in nodes if isinstance(each, str)))
        return tuple(_links([*nodes[start:], *nodes[: start + 1]]))
    return ()


def _links(nodes: Sequence[_Node]) -> Iterator[Link]:
    """The links along a path through scale sets and waves."""
    name, wave = "", None
    for node in nodes:
        if isinstance(node, _Wave):
            wave = node.number
            continue
        if name:
            yield Link(name, node, wave)
        name, wave = node, None
