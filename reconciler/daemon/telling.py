"""What the board tells of a tick to people and programs, beside its outcome: nothing acts on any of it."""

from dataclasses import replace

from reconciler.daemon.conditions import conditions
from reconciler.daemon.history import following
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.store import ScaleSetState
from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.step import Step


def told(
    state: ScaleSetState,
    latest: ScaleSetState,
    outcome: Outcome,
    counted: InstanceCounts | None,
    taken: Step | None,
) -> dict[str, object]:
    """The fields of an entry after a tick on `state` as it was then; `latest` knows what the tick saw, and
    perhaps another spec. `taken` is the step that Azure accepted in it, if any."""
    # Where Azure said no, a decision was reached or can never be; every other failure leaves it open.
    is_conclusion = outcome.reason.meaning.is_conclusive
    after = replace(
        state,
        outcome=outcome,
        model=latest.model,
        looked_at=latest.looked_at,
        counts=counted,
        concluded=state.revision if is_conclusion else state.concluded,
        known_at=state.known_at if outcome.is_error else outcome.at,
        history=following(state.history, state.desired, latest.model, outcome, taken),
    )
    return {
        "concluded": after.concluded,
        "known_at": after.known_at,
        "conditions": conditions(after),
        "history": after.history,
    }
