"""A whole world on a virtual clock: the simulator, the real SDK on its transport, and the reconciler's work.

A story of hours takes a second, and is the same each time. At its end the invariants are checked.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml

from reconciler.azure.compute import Compute
from reconciler.daemon.leadership import Leadership
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.specs import Immediate, Reading
from reconciler.daemon.state import ScaleSetState
from reconciler.git.repository import SourceUnreachable
from reconciler.simulator import VirtualClock
from reconciler.spec.author import Author
from reconciler.spec.files import File
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shard import Shard
from tests.declared import InForce
from tests.invariants import hold
from tests.stories.daemon import Daemon
from tests.stories.watched import Watched

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
BASE = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
ROLE: list[str] = json.loads((Path(__file__).parents[2] / "deploy" / "role.json").read_text())["Actions"]
OLD, NEW, BAD, FIX = "24.04.202601010", "24.04.202601140", "24.04.202602010", "24.04.202602020"


def platform(version: str) -> dict[str, Any]:
    """An image, as fleets and specs write it."""
    return {"platform": {**BASE, "version": version}}


def scale_set(name: str = "web", **changes: Any) -> dict[str, Any]:
    """A scale set of 20 on OLD, for a fleet."""
    return {
        "name": name,
        "resourceGroup": "shop",
        "capacity": 20,
        "mode": "Manual",
        "health": "extension",
        "image": platform(OLD),
    } | changes


def fleet(*scale_sets: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A fleet on whose image BAD no instance becomes healthy. The daemon has the role of deploy/role.json."""
    return {
        "subscription": SUBSCRIPTION,
        "permissions": {"actions": ROLE},
        "location": "westeurope",
        "images": {
            "platform": [{**BASE, "versions": [OLD, NEW, BAD, FIX]}],
            "bad": [{"image": f"{':'.join(BASE.values())}:{BAD}", "boots": "unhealthy"}],
        },
        "scaleSets": list(scale_sets),
    } | changes


def spec(name: str = "web", version: str = NEW, **changes: Any) -> dict[str, Any]:
    """A document that declares `version` for the scale set of that name."""
    return {
        "apiVersion": "vmss-reconciler/v1alpha1",
        "kind": "ScaleSet",
        "metadata": {"name": name},
        "spec": {
            "target": {"subscription": SUBSCRIPTION, "resourceGroup": "shop", "name": name},
            "image": platform(version),
        }
        | changes,
    }


def of_all(**fields: Any) -> dict[str, Any]:
    """The Fleet document, with these fields."""
    return {
        "apiVersion": "vmss-reconciler/v1alpha1",
        "kind": "Fleet",
        "metadata": {"name": "fleet"},
        "spec": fields,
    }


class Merged(Immediate):
    """A source of specs that a story merges documents into."""

    def __init__(self) -> None:
        self.number = 0
        self.documents: dict[str, Mapping[str, Any]] = {}
        self.is_unreachable = False
        self.authors: tuple[Author, ...] = ()  # of everything that is declared; empty if unknown
        self._last: tuple[int, bytes] = (0, b"")
        self._past: list[tuple[File, ...]] = []  # the latest first

    def read(self) -> Reading:
        if self.is_unreachable:
            raise SourceUnreachable("no answer")
        if self._last[0] != self.number:
            if self._last[0]:
                self._past.insert(0, (File("specs/all.yaml", self._last[1]),))
            self._last = self.number, yaml.safe_dump_all(self.documents.values()).encode()
        files = (File("specs/all.yaml", self._last[1]),)
        return Reading(
            f"{self.number:040x}",
            f"merge {self.number}",
            files,
            (),
            lambda _commit, _lines: self.authors,
            lambda _commit, _text, _paths: tuple(self._past),
        )

    def last(self) -> None:
        return None


class World:
    """A fleet in Azure, specs in git, and one daemon at a time, or several."""

    unjudged: ClassVar[list["World"]] = []
    # The provisioning state of a scale set during an upgrade, unless a story sets it. It is not known which one
    # Azure reports, so every story must pass with both.
    during_upgrade: ClassVar[str] = os.environ.get("STORIES_DURING_UPGRADE", "Updating")

    def __init__(
        self,
        declared: Mapping[str, Any],
        *documents: Mapping[str, Any],
        compute: type[Compute] = Compute,
        sweep: timedelta = timedelta(minutes=1),
    ) -> None:
        """`compute` may be a client that interferes with calls to Azure. `sweep` is the interval between sweeps."""
        self.compute = compute
        self.sweep = sweep
        self.clock = VirtualClock()
        self.declared = declared
        defaults = {"provisioningStateDuringUpgrade": World.during_upgrade}
        self.azure = Watched.load(defaults | dict(declared), self.clock)
        self.in_force: list[InForce] = []
        self.source = Merged()
        self.outcomes: list[Outcome] = []
        self._jumps: list[tuple[int, timedelta]] = []
        self._to_come: list[tuple[int, Callable[[], None]]] = []
        self.merge(*documents)
        self.daemons = [Daemon(self, self.clock.now())]
        World.unjudged.append(self)

    @property
    def reconciler(self) -> Reconciler:
        """The reconciler of the first daemon."""
        return self.daemons[0].reconciler

    def now(self) -> datetime:
        """The time by the clocks of the daemons, which may be wrong."""
        if not self._jumps:
            return self.clock.now()
        asked = len(self.azure.record.requests)
        return self.clock.now() + sum((by for after, by in self._jumps if asked >= after), timedelta())

    def jump(self, by: timedelta, *, after: int = 0) -> None:
        """Set the clocks of the daemons forward by this much once Azure has had `after` requests."""
        self._jumps.append((after, by))

    def happens(self, what: Callable[[], None], *, after: int) -> None:
        """Do this between two reconciles, once Azure has had `after` requests."""
        self._to_come.append((after, what))

    def calm(self) -> None:
        """End all faults, and set the clocks right."""
        self.azure.faults.disarm()
        self._jumps.clear()
        self._to_come.clear()

    def judge(self) -> None:
        """Check the invariants. Every world of a story is checked at its end, unless that was done before."""
        World.unjudged.remove(self)
        hold(self)

    def merge(self, *documents: Mapping[str, Any]) -> None:
        """Commit these documents, which replace those of the same name."""
        self.source.number += 1
        self.source.documents |= {document["metadata"]["name"]: document for document in documents}

    def note_specs(self, client: int, scale_sets: tuple[ScaleSet, ...]) -> None:
        """Record that these specs are in force from now on for the daemon with this client."""
        asked = len(self.azure.record.requests)
        self.in_force.append(InForce(self.clock.now(), client, asked, scale_sets))

    def restart(self) -> None:
        """Kill the first daemon, with everything in its memory, and start another."""
        self.daemons[0] = Daemon(self, self.clock.now())

    def join(
        self, after: timedelta, leadership: Leadership | None = None, shard: Shard | None = None
    ) -> None:
        """Start one more daemon beside the others, this much later."""
        self.daemons.append(Daemon(self, self.clock.now() + after, leadership=leadership, shard=shard))

    def step(self) -> None:
        """Run the next sweep or reconcile of any daemon."""
        min(self.daemons, key=lambda daemon: daemon.due).step()
        if self._to_come:
            asked = len(self.azure.record.requests)
            for after, happening in [each for each in self._to_come if each[0] <= asked]:
                self._to_come.remove((after, happening))
                happening()

    def run(self, until: Callable[[], bool] | None = None, *, limit: timedelta = timedelta(hours=12)) -> Self:
        """Step until `until()`, by default until everything is settled. Fail after `limit`."""
        end = self.clock.now() + limit
        self.step()
        while not (until or self.is_settled)():
            self.step()
            assert self.clock.now() < end, f"not done after {limit}: {self.lines()}"
        return self

    def unmerge(self, *names: str) -> None:
        """Commit the removal of these documents."""
        self.source.number += 1
        for name in names:
            del self.source.documents[name]

    def rest(self, span: timedelta) -> Self:
        """Let the daemons work for `span`. If Azure is slow, the last sweep may take longer."""
        end = self.clock.now() + span
        self.step()
        while self.clock.now() < end:
            self.step()
        return self

    def lines(self) -> dict[str, str]:
        """The last line of every scale set."""
        states = self.reconciler.store.states()
        return {state.desired.name: state.outcome.line if state.outcome else "" for state in states}

    def state(self, name: str = "web") -> ScaleSetState:
        """The state of one scale set in the store."""
        return next(each for each in self.reconciler.store.states() if each.desired.name == name)

    def reasons(self, name: str = "web") -> list[str]:
        """Every reason of one scale set so far, without repetitions in a row."""
        found = [outcome.reason for outcome in self.outcomes if outcome.name == name]
        return [reason for before, reason in zip([None, *found], found, strict=False) if reason != before]

    def requests(self) -> list[str]:
        """The operations of all requests so far."""
        return [exchange.operation for exchange in self.azure.record.requests]

    def has_upgraded(self, times: int) -> bool:
        """Whether Azure has been asked for at least this many upgrades."""
        return self.requests().count("VirtualMachineScaleSets_UpdateInstances") >= times

    def until(self, moment: datetime) -> None:
        """Let time pass until then."""
        if moment > self.clock.now():
            self.clock.advance(moment - self.clock.now())

    def is_settled(self) -> bool:
        """Whether no daemon has anything left to do."""
        return all(daemon.is_settled for daemon in self.daemons)
