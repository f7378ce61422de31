"""Replays a cassette against the simulator, request by request.

    for outcome in replay(cassette):
        print(outcome.interaction, outcome.status, outcome.differences)

Between requests, time passes as far as the next recorded response shows: until an operation that was recorded
as ended has ended, and not at all while it was recorded as running.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from reconciler.simulator import Request, Response, Simulator, VirtualClock
from reconciler.simulator.scale_set import ScaleSet
from tests.recorded import seeds, world
from tests.recorded.cassette import Cassette, Interaction
from tests.recorded.comparison import Difference, compare
from tests.recorded.policies import with_policies

HOST = "https://arm.test"
VERSION = "2026-04-01"
OPERATION = re.compile(r"/(?:disk)?operations/([^/?]+)", re.I)
IF_MATCH = re.compile(r'if-match header "([^"]*)"')
STEP, PATIENCE = timedelta(seconds=1), 7200
IN_TRANSITION = re.compile(r'provisioningState(/|": ")(creating|updating|deleting)', re.I)
CONFLICT = timedelta(hours=1)
MISSING, PRECONDITION_FAILED = 404, 412


@dataclass(frozen=True, slots=True)
class Outcome:
    """The simulator's response to one recorded request, and its differences."""

    interaction: Interaction
    status: int
    answer: Any
    differences: tuple[Difference, ...]

    @property
    def has_same_status(self) -> bool:
        return self.status == self.interaction.status

    @property
    def is_same(self) -> bool:
        return self.has_same_status and not self.differences


def replay(cassette: Cassette) -> Iterator[Outcome]:
    """Replay a cassette. Raises ValueError if it begins with a resource that the simulator rejects."""
    player = _Player(cassette)
    for place, interaction in enumerate(cassette.interactions):
        answer = player.play(place, interaction)
        body = json.loads(answer.body) if answer.body else None
        recorded = world.without_strangers(interaction.answer, cassette) or None
        yield Outcome(interaction, answer.status, body, tuple(compare(recorded, body)))


@dataclass(slots=True)
class _Started:
    """An operation: its recorded id, "" if unknown, and its address in the simulator."""

    recorded: str
    url: str


@dataclass(slots=True)
class _Player:
    cassette: Cassette
    clock: VirtualClock = field(default_factory=VirtualClock)
    sim: Simulator = field(init=False)
    started: list[_Started] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sim = Simulator(self.clock)
        world.prepare(self.sim, self.cassette)

    def play(self, place: int, interaction: Interaction) -> Response:
        rest = self.cassette.interactions[place:]
        for row in seeds.missing_sets(interaction, rest):
            if self._scale_set(row["id"]) is None:
                self._seed(row)
        polled = OPERATION.search(interaction.path)
        if polled and "/locations/" in interaction.path.lower():
            return self._poll(polled[1], interaction)
        scale_set = self._scale_set(interaction.path)
        if scale_set is not None:
            self._let_pass(scale_set, interaction)
            self._name_instances(scale_set, interaction, rest)
            world.settle(scale_set, interaction, is_first=not self.started)
        elif not _is_in_transition(interaction):
            self._let_all_pass()
        answer = self._ask(interaction)
        self._note_operation(interaction, answer)
        if interaction.method == "GET":
            self.clock.advance(STEP)
        return answer

    def _ask(self, interaction: Interaction) -> Response:
        headers = {"Authorization": "Bearer t"}
        if interaction.status == PRECONDITION_FAILED:
            # Only the error shows what was requested.
            match = IF_MATCH.search(str(interaction.answer.get("error", {}).get("message")))
            headers["If-Match"] = f'"{match[1] if match else ""}"'
        sent = with_policies(interaction)
        if sent is None and interaction.method == "PUT":
            # Some recorders do not store the bodies of requests.
            sent = next(map(seeds.body_of, world.scale_sets(interaction.answer)), None)
        body = b"" if sent is None else json.dumps(sent).encode()
        url = f"{HOST}{quote(interaction.path, safe='/%*')}?{urlencode(interaction.query)}"
        usual = self.sim.cloud.timings
        if _is_conflict(interaction):
            self.sim.cloud.timings = replace(usual, conflict=CONFLICT)
        try:
            return self.sim.handle(Request(interaction.method, url, headers, body))
        finally:
            self.sim.cloud.timings = usual

    def _note_operation(self, interaction: Interaction, answer: Response) -> None:
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        if url is None:
            return
        names = ("azure-asyncoperation", "location")
        addresses = OPERATION.search(" ".join(interaction.headers.get(name, "") for name in names))
        self.started.append(_Started(addresses[1].lower() if addresses else "", url))

    def _poll(self, recorded: str, interaction: Interaction) -> Response:
        """Poll the operation of the recorded id, once its status is the recorded one."""
        known = [each for each in self.started if each.recorded == recorded.lower()]
        found = known[-1] if known else next((each for each in self.started if not each.recorded), None)
        if found is None:
            found = self._start(interaction)
        found.recorded = recorded.lower()
        path = urlsplit(found.url).path
        operation = self.sim.cloud.operations.find(path.rpartition("/")[2])
        if operation is not None and _has_ended(interaction):
            self._wait(lambda: not operation.is_running)
        return self._ask(replace(interaction, path=path))

    def _start(self, interaction: Interaction) -> _Started:
        """Start an operation whose request is not part of the cassette."""
        parts = interaction.path.split("/")
        operation = self.sim.cloud.operations.start("unseen", parts[2], parts[6])
        operation.wait("itself", STEP)
        started = _Started("", operation.address(HOST, VERSION))
        self.started.append(started)
        return started

    def _let_pass(self, scale_set: ScaleSet, interaction: Interaction) -> None:
        is_open = interaction.method != "GET" and _is_conflict(interaction)
        if interaction.method == "GET":
            is_open = _is_in_transition(interaction)
        if not is_open:
            self._wait(lambda: not scale_set.running)

    def _let_all_pass(self) -> None:
        groups = self.sim.cloud.groups.values()
        found = [each for group in groups for one in group.values() for each in one.scale_sets.values()]
        self._wait(lambda: not any(each.running for each in found))

    def _wait(self, is_over: Callable[[], bool]) -> None:
        for _ in range(PATIENCE):
            if is_over():
                return
            self.clock.advance(STEP)

    def _name_instances(
        self, scale_set: ScaleSet, interaction: Interaction, rest: tuple[Interaction, ...]
    ) -> None:
        ids = world.instance_ids(interaction)
        kept = ids if interaction.path.lower().endswith("/virtualmachines") else world.all_ids(rest)
        world.rename(scale_set, ids, frozenset(kept))

    def _seed(self, row: Mapping[str, Any]) -> None:
        """Create a scale set that existed before the cassette, or that a part which was cut had created."""
        body = json.dumps(seeds.body_of(row)).encode()
        url = f"{HOST}{row['id']}?api-version={VERSION}"
        answer = self.sim.handle(Request("PUT", url, {"Authorization": "Bearer t"}, body))
        scale_set = self._scale_set(row["id"])
        if scale_set is None:
            raise ValueError(f"{row['id']} cannot be made: {answer.body.decode()}")
        if not IN_TRANSITION.search(f"provisioningState/{row['properties'].get('provisioningState')}"):
            self._wait(lambda: not scale_set.running)

    def _scale_set(self, path: str) -> ScaleSet | None:
        match = world.SET.match(path)
        if match is None:
            return None
        group = self.sim.cloud.groups.get(match["subscription"].lower(), {}).get(match["group"].lower())
        return group.scale_sets.get(match["name"].lower()) if group else None


def _is_conflict(interaction: Interaction) -> bool:
    return world.error_of(interaction) == "Conflict"


def _has_ended(interaction: Interaction) -> bool:
    if isinstance(interaction.answer, Mapping) and "status" in interaction.answer:
        return bool(interaction.answer["status"] != "InProgress")
    return interaction.status != 202


def _is_in_transition(interaction: Interaction) -> bool:
    return IN_TRANSITION.search(json.dumps(interaction.answer)) is not None
