"""A small world as a node of a graph: its scale sets, one daemon, the specs, and the disturbances that are left.

The parts of a node are numbers of values in tables. A node is therefore small, and each observation is made once for
all nodes in which it occurs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import permutations
from typing import Any, Generic, NamedTuple, TypeVar

from reconciler.daemon.outcome import Outcome
from reconciler.rollout.decision import Decision
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.step import PatchModel
from reconciler.spec.amount import Percent
from reconciler.spec.fleet import Fleet
from reconciler.spec.scale_set import Health, ScaleSet
from reconciler.spec.suspension import Suspension
from tests.build import FLEET, spec
from tests.exhaust import azure as azures
from tests.exhaust import daemon
from tests.exhaust.azure import IMAGES, ONE, WORDS, Azure, Machine
from tests.exhaust.clock import UNIT
from tests.exhaust.daemon import Hearing, Limits, Memory, Observation, Reads, Spec
from tests.exhaust.rules import REFUSED, Ghost, Neighbour, Sent, broken

Value = TypeVar("Value")
_SUSPENSION = Suspension("an incident")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A world, and how often each kind of disturbance may happen in it, and at most how many in all.

    `domains` has the domains of the instances of each scale set. `bad` are the images on which nothing serves. Without
    `says_updating` the scale set reports Succeeded during an upgrade. `timeout` and `rollout` are as in a spec.
    """

    name: str
    domains: tuple[tuple[int, ...], ...] = ((0, 1),)
    disturbances: Mapping[str, int]
    most: int
    bad: frozenset[int] = frozenset()
    images: int = 3
    says_updating: bool = True
    timeout: timedelta = UNIT
    passes: int = 1
    rollout: Mapping[str, Any] = field(default_factory=dict)
    fleet: Mapping[str, Any] = field(default_factory=dict)
    depends_on: bool = False  # the second scale set on the first

    @property
    def pace(self) -> Mapping[str, Any]:
        """The rollout fields of its specs."""
        return {
            "progress_deadline": UNIT * 2,
            "max_batch": Percent(50),
            "max_unhealthy": Percent(20),
            **self.rollout,
        }

    @cached_property
    def soak(self) -> timedelta:
        """The longest time for which an upgraded instance has to be healthy before the next batch."""
        rollout = spec(**self.pace).rollout
        return max(rollout.soak, rollout.canary.soak if rollout.canary else timedelta())

    @cached_property
    def limits(self) -> Limits:
        rollout = spec(**self.pace).rollout
        at_rest = max((self.timeout + rollout.bake_time) // UNIT + 1, self.soak // UNIT)
        return Limits(
            at_rest=at_rest, waiting=max(rollout.progress_deadline // UNIT + 1, 2), passes=max(1, self.passes)
        )

    @property
    def names(self) -> tuple[str, ...]:
        return ("web",) if len(self.domains) == 1 else tuple("abc"[: len(self.domains)])


class Table(Generic[Value]):
    """Values by number."""

    def __init__(self) -> None:
        self._numbers: dict[Value, int] = {}
        self._values: list[Value] = []

    def number(self, value: Value) -> int:
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self._values)
            self._values.append(value)
        return found

    def __getitem__(self, number: int) -> Value:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)


class Scene(NamedTuple):
    """One scale set, as numbers: its state, its state before the last change (-1 if no stale read may follow), its spec,
    the memory of the daemon, and what only the world knows."""

    azure: int
    before: int
    spec: int
    memory: int
    ghost: int


class Node(NamedTuple):
    scenes: tuple[Scene, ...]
    is_check_open: bool
    left: tuple[int, ...]  # disturbances that are left: in all, and then of each kind


class Result(NamedTuple):
    """The result of an observation and its step: the memory from then on, and the outcome."""

    memory: int
    verdict: Observation
    outcome: Outcome


class Move(NamedTuple):
    """A step from one node to another, in words, with the rules that it breaks."""

    line: str
    node: Node
    broken: tuple[tuple[str, str], ...] = ()
    statuses: tuple[Status, ...] = ()  # of each scale set after its last observation


_STALE = ("the model", "the instances", "all")


class World:
    """The graph of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.kinds = tuple(scope.disturbances)
        self.azures, self.memories = Table[Azure](), Table[Memory]()
        self.specs, self.ghosts = Table[Spec](), Table[Ghost]()
        self._results: dict[tuple[Any, ...], Result] = {}
        self._verdicts: dict[tuple[Any, ...], Observation] = {}
        self._desired: dict[tuple[int, Spec], ScaleSet] = {}
        self._ages: dict[tuple[int, int, int], tuple[int, int, int]] = {}
        self._cuts: dict[tuple[int, int, int], tuple[int, int, int]] = {}
        self.observations = 0
        self.keeps_wait = False  # whether a memory has the length of its wait, on which no decision depends

    @property
    def start(self) -> Node:
        """All instances run OLD and serve, the daemon has observed that, and NEW was just declared."""
        scope = self.scope
        scenes = []
        for domains in scope.domains:
            machines = tuple(
                Machine(slot, domain, 0, age=scope.limits.at_rest) for slot, domain in enumerate(domains)
            )
            scenes.append(
                Scene(
                    self.azures.number(Azure(0, machines)),
                    -1,
                    self.specs.number(Spec(0)),
                    self.memories.number(Memory()),
                    self.ghosts.number(Ghost()),
                )
            )
        node = Node(tuple(scenes), True, (scope.most, *scope.disturbances.values()))
        for number in range(len(node.scenes)):
            node = self._observe(node, number, Hearing.ACCEPTED, stale="").node
        for number in range(len(node.scenes)):
            node = self._declared(node, number, Spec(1))
        return node

    # Moves.

    def moves(self, node: Node) -> Iterator[Move]:
        """Everything that may happen next."""
        for number, scene in enumerate(node.scenes):
            yield from self._by_itself(node, number)
            for kind in self.kinds:
                if (left := self._spent(node, kind)) is not None:
                    yield from self._disturbed(node._replace(left=left), number, scene, kind)
        for kind in ("restart", "the check"):
            if kind in self.kinds and (left := self._spent(node, kind)) is not None:
                yield self._at_large(node._replace(left=left), kind)
        after = self._later(node)
        yield from self._observed(node, "")
        if len(node.scenes) == 1:
            yield from self._observed(after, "5 minutes later, ")
        else:
            for order in permutations(range(len(node.scenes))):
                yield self.watched(node, order)
        if "no observation" in self.kinds and (left := self._spent(node, "no observation")) is not None:
            yield Move("5 minutes pass without an observation", after._replace(left=left))

    def helped(self, node: Node) -> Move:
        """The next node without disturbances: Azure completes all operations, and the daemon observes."""
        for number in range(len(node.scenes)):
            while (done := next(self._by_itself(node, number), None)) is not None:
                node = done.node
        return self.watched(node, range(len(node.scenes)))

    def watched(self, node: Node, order: Any = None) -> Move:
        """The next node if Azure completes nothing: five minutes later the daemon observes all scale sets."""
        node = self._later(node)
        lines: list[str] = []
        found: list[tuple[str, str]] = []
        statuses = [Status.READY] * len(node.scenes)
        for number in range(len(node.scenes)) if order is None else order:
            move = self._observe(node, number, Hearing.ACCEPTED, stale="")
            lines.append(move.line)
            found += move.broken
            statuses[number] = move.statuses[0]
            node = move.node
        return Move(f"5 minutes later, {'; '.join(lines)}", node, tuple(found), tuple(statuses))

    def _spent(self, node: Node, kind: str) -> tuple[int, ...] | None:
        """The disturbances that are left after this one; None if it is not allowed."""
        place = self.kinds.index(kind) + 1
        if not node.left[0] or not node.left[place]:
            return None
        left = list(node.left)
        left[0] -= 1
        left[place] -= 1
        # After the last disturbance the kinds that are left do not matter, so the nodes are the same.
        return tuple(left) if left[0] else (0,) * len(left)

    def _by_itself(self, node: Node, number: int) -> Iterator[Move]:
        azure = self.azures[node.scenes[number].azure]
        for line, after in azures.finishes(azure, self.scope.bad):
            yield Move(self._line(number, line), self._changed(node, number, after))

    def _disturbed(self, node: Node, number: int, scene: Scene, kind: str) -> Iterator[Move]:
        match kind:
            case "commit" | "suspend" | "resume":
                yield from self._committed(node, number, self.specs[scene.spec], kind)
            case "lost answer" | "conflict" | "stale read":
                yield from self._misheard(node, number, kind)
            case _:
                for line, after in self._happenings(scene, kind):
                    yield Move(self._line(number, line), self._changed(node, number, after))

    def _happenings(self, scene: Scene, kind: str) -> Iterator[azures.Happening]:
        """The transitions of the scale set or of one of its instances."""
        azure, tried = self.azures[scene.azure], self.memories[scene.memory].tried
        match kind:
            case "is replaced":
                yield from azures.replaced(azure)
            case "second writer":
                yield from azures.set_by_another(azure, self.scope.images)
            case "patch fails":
                if tried and tried.has_operation and not tried.ids and not azure.error:
                    failed = azure._replace(is_failed=True, error="InternalExecutionError: it failed")
                    yield "the change of the model fails", failed
            case _ if kind in ONE:
                yield from azures.of_one(kind, azure)

    def _committed(self, node: Node, number: int, declared: Spec, kind: str) -> Iterator[Move]:
        """A commit that changes its spec."""
        if kind == "commit":
            others = [image for image in range(self.scope.images) if image != declared.image]
            commits = [
                (f"a commit declares {WORDS[image]}", declared._replace(image=image)) for image in others
            ]
        else:
            is_suspended = kind == "suspend"
            word = "suspends" if is_suspended else "resumes"
            commits = [(f"a commit {word} it", declared._replace(is_suspended=is_suspended))]
        for line, after in commits:
            if after != declared:
                yield Move(self._line(number, line), self._declared(node, number, after))

    def _misheard(self, node: Node, number: int, kind: str) -> Iterator[Move]:
        """An observation with stale reads, or one whose step gets no answer or a conflict."""
        hearing = {"lost answer": Hearing.NOTHING, "conflict": Hearing.CONFLICT}.get(kind, Hearing.ACCEPTED)
        is_stale = kind == "stale read"
        if is_stale and node.scenes[number].before < 0:
            return
        for begun, when in ((node, ""), (self._later(node, is_stale=is_stale), "5 minutes later, ")):
            for stale in _STALE if is_stale else ("",):
                if is_stale or self._has_step(begun, number):
                    move = self._observe(begun, number, hearing, stale=stale)
                    yield move._replace(line=f"{when}{move.line}")

    def _at_large(self, node: Node, kind: str) -> Move:
        if kind == "the check":
            is_open = not node.is_check_open
            word = "passes again" if is_open else "fails"
            return Move(f"a check {word}", node._replace(is_check_open=is_open))
        empty = self.memories.number(Memory())
        scenes = []
        for each in node.scenes:
            azure = self.azures[each.azure]
            machines = tuple(machine._replace(is_asked=False) for machine in azure.machines)
            forgotten = azure._replace(error="", machines=machines)
            scenes.append(each._replace(memory=empty, azure=self.azures.number(forgotten)))
        return Move("the daemon restarts", self._cut(node._replace(scenes=tuple(scenes))))

    def _observed(self, node: Node, when: str) -> Iterator[Move]:
        for number in range(len(node.scenes)):
            move = self._observe(node, number, Hearing.ACCEPTED, stale="")
            yield move._replace(line=f"{when}{move.line}")

    def _line(self, number: int, line: str) -> str:
        return line if len(self.scope.names) == 1 else f"{self.scope.names[number]}: {line}"

    # Changes of a node.

    def _with(self, node: Node, number: int, scene: Scene) -> Node:
        scenes = (*node.scenes[:number], scene, *node.scenes[number + 1 :])
        return node._replace(scenes=scenes)

    def _changed(self, node: Node, number: int, after: Azure) -> Node:
        scene = node.scenes[number]
        return self._with(
            node,
            number,
            scene._replace(
                azure=self.azures.number(after),
                before=scene.azure if self._keeps_before(node) else -1,
                ghost=self._proven(scene.ghost, after),
            ),
        )

    def _keeps_before(self, node: Node) -> bool:
        return "stale read" in self.kinds and node.left[1 + self.kinds.index("stale read")] > 0

    def _proven(self, ghost: int, azure: Azure) -> int:
        images = {each.image for each in azure.machines if each.serves}
        known = self.ghosts[ghost]
        if known.blamed in images:
            known = known._replace(blamed=None)
            ghost = self.ghosts.number(known)
        proven = images if len(images) == 1 else set()
        if not self.scope.soak:  # otherwise one instance proves an image only after its soak
            proven = proven | {each.image for each in azure.machines if each.serves and each.upgraded}
        bits = known.proven
        for image in proven:
            bits |= 1 << image
        return ghost if bits == known.proven else self.ghosts.number(known._replace(proven=bits))

    def _declared(self, node: Node, number: int, declared: Spec) -> Node:
        scene = node.scenes[number]
        ghost = self.ghosts[scene.ghost]
        if declared.image != self.specs[scene.spec].image:
            ghost = ghost._replace(failed=None)
        return self._with(
            node,
            number,
            scene._replace(spec=self.specs.number(declared), ghost=self.ghosts.number(ghost)),
        )

    def _later(self, node: Node, *, is_stale: bool = False) -> Node:
        """The same, one unit later. `is_stale` says that a stale read follows."""
        keeps = is_stale or self._keeps_before(node)
        return node._replace(
            scenes=tuple(
                self._each(each, self._ages, self._aged)._replace(**{} if keeps else {"before": -1})
                for each in node.scenes
            )
        )

    def _cut(self, node: Node) -> Node:
        """The same with limited ages."""
        return node._replace(
            scenes=tuple(self._each(each, self._cuts, self._shortened) for each in node.scenes)
        )

    def _each(
        self,
        scene: Scene,
        known: dict[tuple[int, int, int], tuple[int, int, int]],
        become: Callable[[Azure, Azure | None, Memory], tuple[Azure, Azure | None, Memory]],
    ) -> Scene:
        key = scene.azure, scene.before, scene.memory
        found = known.get(key)
        if found is None:
            before = self.azures[scene.before] if scene.before >= 0 else None
            azure, before, memory = become(self.azures[scene.azure], before, self.memories[scene.memory])
            found = known[key] = (
                self.azures.number(azure),
                -1 if before is None else self.azures.number(before),
                self.memories.number(memory),
            )
        return scene._replace(azure=found[0], before=found[1], memory=found[2])

    def _aged(self, azure: Azure, before: Azure | None, memory: Memory) -> tuple[Azure, Azure | None, Memory]:
        return self._shortened(
            azures.later(azure),
            azures.later(before) if before else None,
            daemon.later(memory, self.scope.limits),
        )

    def _shortened(
        self, azure: Azure, before: Azure | None, memory: Memory
    ) -> tuple[Azure, Azure | None, Memory]:
        limits, tried = self.scope.limits, memory.tried
        asked, since = (frozenset(tried.ids), tried.age) if tried else (frozenset[str](), 0)

        def short(known: Azure) -> Azure:
            machines = tuple(
                each._replace(age=daemon.cut(each.id, each.age, asked, since, limits))
                for each in known.machines
            )
            return known._replace(machines=machines)

        return short(azure), short(before) if before else None, daemon.with_cut_sightings(memory, limits)

    # Observations.

    def _has_step(self, node: Node, number: int) -> bool:
        return self._verdict(node, number, "").step is not None

    def _observe(self, node: Node, number: int, hearing: Hearing, *, stale: str) -> Move:
        scene = node.scenes[number]
        verdict = self._verdict(node, number, stale)
        azure, step = self.azures[scene.azure], verdict.step
        if isinstance(step, PatchModel) and step.etag != azure.etag:
            hearing = Hearing.CONFLICT
        if step is None:
            hearing = Hearing.ACCEPTED
        found = self._heard(node, number, stale, hearing, verdict)
        is_taken = step is not None and hearing is not Hearing.CONFLICT
        found_broken: tuple[tuple[str, str], ...] = ()
        if verdict.decision:
            sent = self._sent(node, number, verdict.decision, stale)
            # A refused step does no harm, so only some rules apply. One of them shows if Azure refuses it forever.
            found_broken = tuple(broken(sent) if is_taken or step is None else broken(sent, REFUSED))
        after = self._with(node, number, scene._replace(memory=found.memory))
        after = self._blamed(after, number, verdict)
        if step is not None and is_taken:
            changed = azures.take(azure, step, is_heard=hearing is Hearing.ACCEPTED)
            after = self._changed(after, number, changed)
            after = self._failed(after, number, verdict)
        heard = {Hearing.NOTHING: " (the answer is lost)", Hearing.CONFLICT: " (Azure refuses: a conflict)"}
        reads = f" (of {stale}, as before the last change)" if stale else ""
        decided = verdict.decision.line if verdict.decision else found.outcome.line
        line = self._line(number, f"an observation{reads} decides {decided}{heard.get(hearing, '')}")
        return Move(line, self._cut(after), found_broken, (found.outcome.status,))

    def _sent(self, node: Node, number: int, decision: Decision, stale: str) -> Sent:
        scene = node.scenes[number]
        model, instances = self._shown(scene, stale)
        return Sent(
            self._spec_of(number, self.specs[scene.spec]),
            self.specs[scene.spec],
            self.azures[scene.azure],
            model._replace(machines=instances.machines),
            self.memories[scene.memory],
            decision,
            self.ghosts[scene.ghost],
            is_fresh=not stale,
            neighbours=tuple(
                Neighbour(
                    self.specs[each.spec],
                    self.azures[each.azure],
                    self.memories[each.memory],
                    self.ghosts[each.ghost],
                )
                for place, each in enumerate(node.scenes)
                if place != number
            ),
        )

    def _failed(self, node: Node, number: int, verdict: Observation) -> Node:
        scene, decision = node.scenes[number], verdict.decision
        if decision is None or decision.reason is not Reason.GIVING_UP:
            return node
        failed = self.azures[scene.azure].persisted.failed
        ghost = self.ghosts[scene.ghost]._replace(failed=failed)
        return self._with(node, number, scene._replace(ghost=self.ghosts.number(ghost)))

    def _blamed(self, node: Node, number: int, verdict: Observation) -> Node:
        blamed = verdict.decision.blamed if verdict.decision else None
        if blamed is None or len(node.scenes) == 1:
            return node
        scene = node.scenes[number]
        ghost = self.ghosts[scene.ghost]._replace(blamed=azures.number_of_print(blamed))
        return self._with(node, number, scene._replace(ghost=self.ghosts.number(ghost)))

    def _shown(self, scene: Scene, stale: str) -> tuple[Azure, Azure]:
        now = self.azures[scene.azure]
        if not stale:
            return now, now
        assert scene.before >= 0, "there was no state before"
        before = self.azures[scene.before]
        return (
            before if stale in {"the model", "all"} else now,
            before if stale in {"the instances", "all"} else now,
        )

    def _key(self, node: Node, number: int, stale: str) -> tuple[Any, ...]:
        scene = node.scenes[number]
        others = tuple(
            (each.memory, each.spec, self.azures[each.azure].row)
            for place, each in enumerate(node.scenes)
            if place != number
        )
        before = scene.before if stale else -1
        return number, scene.azure, before, scene.spec, scene.memory, others, node.is_check_open, stale

    def _verdict(self, node: Node, number: int, stale: str) -> Observation:
        key = self._key(node, number, stale)
        known = self._verdicts.get(key)
        if known is None:
            self.observations += 1
            states = [self._state(place, each) for place, each in enumerate(node.scenes)]
            model, machines = self._shown(node.scenes[number], stale)
            reads = Reads(
                model,
                machines,
                self.azures[node.scenes[number].azure],
                self.scope.says_updating,
                node.is_check_open,
            )
            others = tuple(state for place, state in enumerate(states) if place != number)
            known = self._verdicts[key] = daemon.observe(states[number], others, reads)
        return known

    def _state(self, number: int, scene: Scene) -> Any:
        memory = self.memories[scene.memory]
        decided = None if memory.decided is None else self._spec_of(number, memory.decided)
        row = self.azures[scene.azure].row if len(self.scope.names) > 1 else None
        return daemon.recall(memory, self._spec_of(number, self.specs[scene.spec]), decided, row)

    def _heard(self, node: Node, number: int, stale: str, hearing: Hearing, verdict: Observation) -> Result:
        key = (*self._key(node, number, stale), hearing, self.keeps_wait)
        known = self._results.get(key)
        if known is None:
            state, outcome = daemon.conclude(verdict, hearing)
            memory = daemon.remember(
                state,
                self.specs[node.scenes[number].spec],
                self.scope.limits,
                has_others=len(node.scenes) > 1,
                keeps_wait=self.keeps_wait,
            )
            known = self._results[key] = Result(self.memories.number(memory), verdict, outcome)
        return known

    def _spec_of(self, number: int, declared: Spec) -> ScaleSet:
        known = self._desired.get((number, declared))
        if known is None:
            scope = self.scope
            fleet: Fleet = replace(FLEET, **scope.fleet)
            known = self._desired[number, declared] = spec(
                scope.names[number],
                image=IMAGES[declared.image],
                suspend=_SUSPENSION if declared.is_suspended else None,
                health=Health(scope.timeout, passes=scope.passes),
                depends_on=(scope.names[0],) if scope.depends_on and number else (),
                fleet=fleet,
                **scope.pace,
            )
        return known
