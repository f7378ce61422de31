"""Every state of a world, once; the shortest way to one that breaks a rule; and whether each comes to an end.

An end is a state from which nothing is Reconciling any more: READY, or at rest with a reason that a person can read.
From every state the world must come to one in two ways, in each of which nothing more goes wrong: where Azure does
all that it was asked for, and where it never does.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.rollout.reason import Status
from tests.exhaust.world import Move, Node, Scope, World

_TURNS = 12  # of a circle: after so many, what lasts too long is told as failing


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that is broken, in a sentence, and how the world came to that, line by line."""

    rule: str
    sentence: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{number:3}  {line}" for number, line in enumerate(self.trace, 1)]
        return "\n".join((f"broken: {self.rule}", *lines, f"     {self.sentence}"))


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found: `violations` of each rule the shortest one."""

    scope: Scope
    states: int
    transitions: int
    looks: int
    seconds: float
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        return (
            f"{self.scope.name}: {self.states:,} states, {self.transitions:,} transitions, "
            f"{self.looks:,} looks, {self.seconds:.1f} s"
        )


def search(scope: Scope, *, most: int | None = None) -> Result:
    """Visit every state that the scope allows. Fails where there are more than `most`."""
    began, world = time.process_time(), World(scope)
    graph = _Graph(world)
    violations = {each.rule: each for each in graph.explore(most)}
    if not violations:
        for each in graph.endless():
            violations.setdefault(each.rule, each)
    return Result(
        scope,
        len(graph.nodes),
        graph.transitions,
        world.looks,
        time.process_time() - began,
        tuple(violations.values()),
    )


class _Graph:
    def __init__(self, world: World) -> None:
        self.world = world
        self.nodes: list[Node] = [world.start]
        self.numbers: dict[Node, int] = {world.start: 0}
        self.parents: list[int] = [-1]
        self.transitions = 0

    def explore(self, most: int | None) -> Iterator[Violation]:
        """Breadth first. The first violation of each rule is one of the shortest."""
        found: set[str] = set()
        queue = deque([0])
        while queue:
            number = queue.popleft()
            for move in self.world.moves(self.nodes[number]):
                self.transitions += 1
                for rule, sentence in move.broken:
                    if rule not in found:
                        found.add(rule)
                        yield Violation(rule, sentence, (*self.trace(number), move.line))
                if move.node in self.numbers or move.broken:
                    continue
                self.numbers[move.node] = len(self.nodes)
                queue.append(len(self.nodes))
                self.nodes.append(move.node)
                self.parents.append(number)
                assert most is None or len(self.nodes) <= most, f"more than {most:,} states"

    def trace(self, number: int) -> tuple[str, ...]:
        """How the world came to this node, from the start."""
        if self.parents[number] < 0:
            return ()
        parent, node = self.parents[number], self.nodes[number]
        line = next(each.line for each in self.world.moves(self.nodes[parent]) if each.node == node)
        return (*self.trace(parent), line)

    def endless(self) -> Iterator[Violation]:
        for rule, go_on in (
            ("it comes to an end where Azure does what it was asked for", self.world.helped),
            ("it comes to an end where Azure never does", self.world.watched),
        ):
            if found := self._endless(go_on):
                number, lines = found
                yield Violation(rule, "and so on, for ever", (*self.trace(number), *lines))

    def _endless(self, go_on: Callable[[Node], Move]) -> tuple[int, tuple[str, ...]] | None:
        """The first node from which no end is reached, and what becomes of it."""
        world = self.world
        moves = [go_on(node) for node in self.nodes]
        nexts = [self.numbers[move.node] for move in moves]
        for circle in _circles(nexts):
            world.keeps_wait = True
            node = self.nodes[circle[0]]
            lines: list[str] = []
            statuses: list[Status] = []
            for turn in range(_TURNS * len(circle)):
                move = go_on(node)
                node = move.node
                if turn >= (_TURNS - 1) * len(circle):
                    lines.append(move.line)
                    statuses += move.statuses
            world.keeps_wait = False
            if Status.RECONCILING in statuses:
                first = self._first_to(circle[0], nexts)
                return first, (*self._way(first, circle[0], nexts, moves), *lines)
        return None

    def _first_to(self, circle: int, nexts: list[int]) -> int:
        """The first node from which the world comes into this circle."""
        before: list[list[int]] = [[] for _ in nexts]
        for place, following in enumerate(nexts):
            before[following].append(place)
        known, queue = {circle}, [circle]
        while queue:
            new = [each for each in before[queue.pop()] if each not in known]
            known.update(new)
            queue += new
        return min(known)

    def _way(self, place: int, circle: int, nexts: list[int], moves: list[Move]) -> list[str]:
        lines = []
        while place != circle:
            lines.append(moves[place].line)
            place = nexts[place]
        return lines


def _circles(nexts: list[int]) -> Iterator[list[int]]:
    """The circles that the world ends in, each once."""
    visited = [-1] * len(nexts)
    for start in range(len(nexts)):
        place = start
        while visited[place] < 0:
            visited[place] = start
            place = nexts[place]
        if visited[place] == start:
            circle = [place]
            while (place := nexts[place]) != circle[0]:
                circle.append(place)
            yield circle
