"""Visits every state of a world once. Finds the shortest path to a broken rule, and states without a reachable end.

An end is a state after which nothing is Reconciling any more: Ready, or at rest with a reason that a person can read.
From every state the world must reach an end without further disturbances in two cases: if Azure completes every
operation, and if it never completes one.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.rollout.reason import Status
from tests.exhaust.world import Move, Node, Scope, World

_TURNS = 12  # of a cycle; after that many, a lasting error is reported as Failing


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, with a sentence, and the events that led to it."""

    rule: str
    sentence: str
    trace: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{number:3}  {line}" for number, line in enumerate(self.trace, 1)]
        return "\n".join((f"broken rule: {self.rule}", *lines, f"     {self.sentence}"))


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a search. `violations` has the shortest one of each rule."""

    scope: Scope
    states: int
    transitions: int
    observations: int
    seconds: float
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        return (
            f"{self.scope.name}: {self.states:,} states, {self.transitions:,} transitions, "
            f"{self.observations:,} observations, {self.seconds:.1f} s"
        )


def search(scope: Scope, *, most: int | None = None) -> Result:
    """Visit every state that the scope allows. Fail if there are more than `most`."""
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
        world.observations,
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
        """The events from the start to this node."""
        if self.parents[number] < 0:
            return ()
        parent, node = self.parents[number], self.nodes[number]
        line = next(each.line for each in self.world.moves(self.nodes[parent]) if each.node == node)
        return (*self.trace(parent), line)

    def endless(self) -> Iterator[Violation]:
        for rule, go_on in (
            ("an end is reached if Azure completes every operation", self.world.helped),
            ("an end is reached if Azure completes no operation", self.world.watched),
        ):
            if found := self._endless(go_on):
                number, lines = found
                yield Violation(rule, "these events repeat forever", (*self.trace(number), *lines))

    def _endless(self, go_on: Callable[[Node], Move]) -> tuple[int, tuple[str, ...]] | None:
        """The first node from which no end is reached, and the events after it."""
        world = self.world
        moves = [go_on(node) for node in self.nodes]
        nexts = [self.numbers[move.node] for move in moves]
        for cycle in _cycles(nexts):
            world.keeps_wait = True
            node = self.nodes[cycle[0]]
            lines: list[str] = []
            statuses: list[Status] = []
            for turn in range(_TURNS * len(cycle)):
                move = go_on(node)
                node = move.node
                if turn >= (_TURNS - 1) * len(cycle):
                    lines.append(move.line)
                    statuses += move.statuses
            world.keeps_wait = False
            if Status.RECONCILING in statuses:
                first = self._first_to(cycle[0], nexts)
                return first, (*self._path(first, cycle[0], nexts, moves), *lines)
        return None

    def _first_to(self, cycle: int, nexts: list[int]) -> int:
        """The first node from which the world enters this cycle."""
        before: list[list[int]] = [[] for _ in nexts]
        for place, following in enumerate(nexts):
            before[following].append(place)
        known, queue = {cycle}, [cycle]
        while queue:
            new = [each for each in before[queue.pop()] if each not in known]
            known.update(new)
            queue += new
        return min(known)

    def _path(self, place: int, cycle: int, nexts: list[int], moves: list[Move]) -> list[str]:
        lines = []
        while place != cycle:
            lines.append(moves[place].line)
            place = nexts[place]
        return lines


def _cycles(nexts: list[int]) -> Iterator[list[int]]:
    """The cycles in which the world ends, each once."""
    visited = [-1] * len(nexts)
    for start in range(len(nexts)):
        place = start
        while visited[place] < 0:
            visited[place] = start
            place = nexts[place]
        if visited[place] == start:
            cycle = [place]
            while (place := nexts[place]) != cycle[0]:
                cycle.append(place)
            yield cycle
