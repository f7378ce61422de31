"""Entries of a board, as they are after some look: name only what the case is about."""

from typing import Any

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.store import ScaleSetState
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.spec.scale_set import ScaleSet
from tests.build import NOW, spec


def outcome(name: str = "web", reason: str = "UpToDate", **changes: Any) -> Outcome:
    """What came of a look; it stands as this reason has it."""
    values: dict[str, Any] = {
        "commit": "a1",
        "at": NOW,
        "reason": Reason(reason),
        "message": "",
        "status": Reason(reason).meaning.status,
    }
    return Outcome(name=name, **(values | changes))


def state(name: str = "web", reason: str | None = "UpToDate", **changes: Any) -> ScaleSetState:
    """One that was looked at, and by default found as declared; of `desired` what is given, else a plain spec.

    Without a reason it was not looked at yet.
    """
    desired: ScaleSet = changes.pop("desired", None) or spec(name, **_taken(changes, ScaleSet))
    values: dict[str, Any] = {"counted": desired.image}
    if reason is not None:
        values |= {"outcome": outcome(name, reason), "decided": desired, "is_under_way": False}
    return ScaleSetState(desired, "a1", **(values | changes))


def waiting(reason: Reason, evidence: str, name: str = "web", **changes: Any) -> Outcome:
    """What came of a look that found a gate closed."""
    gates = (Gate("approval", "1.2.3 is approved"), Gate("gate", evidence, reason, **changes))
    return outcome(name, reason, message=f"{evidence}; until then not doing it", gates=gates)


def _taken(changes: dict[str, Any], kind: type) -> dict[str, Any]:
    return {name: changes.pop(name) for name in tuple(changes) if name in kind.__slots__}  # type: ignore[attr-defined]
