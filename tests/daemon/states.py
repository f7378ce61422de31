"""States of scale sets after an observation. A test names only what its case is about."""

from dataclasses import fields
from typing import Any

from reconciler.daemon.in_force import InForce
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.state import LastSeen, Published, ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.daemon.store import Store
from reconciler.rollout.gate import Gate
from reconciler.rollout.gates import closed_gate_message
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.spec.scale_set import ScaleSet
from tests.build import NOW, spec


def outcome(name: str = "web", reason: str = "UpToDate", **changes: Any) -> Outcome:
    """The outcome of a reconcile, with the status of its reason."""
    values: dict[str, Any] = {
        "commit": "a1",
        "at": NOW,
        "reason": Reason(reason),
        "message": "",
        "status": Reason(reason).meaning.status,
    }
    return Outcome(name=name, **(values | changes))


def state(name: str = "web", reason: str | None = "UpToDate", **changes: Any) -> ScaleSetState:
    """A scale set that was observed, by default as declared. `desired` is a plain spec by default.

    Without a reason it is not checked yet. Fields of its parts are given as if they were its own.
    """
    desired: ScaleSet = changes.pop("desired", None) or spec(name, **_taken(changes, ScaleSet))
    values: dict[str, Any] = {"counted_image": desired.image}
    if reason is not None:
        values |= {"outcome": outcome(name, reason), "decided": desired, "holds_slot": False}
    values |= changes
    parts: dict[str, Any] = {
        "seen": LastSeen(**_taken(values, LastSeen)),
        "published": Published(**_taken(values, Published)),
        "progress": Progress(**_taken(values, Progress)),
    }
    return ScaleSetState(desired, values.pop("commit", "a1"), **(parts | values))


def in_force(*scale_sets: ScaleSet, commit: str = "a1") -> list[InForce]:
    """What a commit without errors puts in force."""
    return [InForce(each, commit, (commit, NOW)) for each in scale_sets]


def store_of(*states: ScaleSetState) -> Store:
    """A store that holds these."""
    return Store(_states=ScaleSetStates.of(states))


def waiting(reason: Reason, evidence: str, name: str = "web", **changes: Any) -> Outcome:
    """The outcome of a reconcile that found a gate closed."""
    closed = Gate("gate", evidence, reason, **changes)
    gates, doing = (Gate("approval", "1.2.3 is approved"), closed), "the next batch"
    return outcome(name, reason, message=closed_gate_message(closed, doing), gates=gates, doing=doing)


def _taken(changes: dict[str, Any], kind: type) -> dict[str, Any]:
    names = [each.name for each in fields(kind)]
    return {name: changes.pop(name) for name in names if name in changes}
