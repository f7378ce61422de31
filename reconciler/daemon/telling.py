"""What the board tells of a tick to people and programs, beside its outcome: nothing acts on any of it."""

from dataclasses import replace

from reconciler.daemon.board import Entry
from reconciler.daemon.conditions import conditions
from reconciler.daemon.history import following
from reconciler.daemon.outcome import Outcome
from reconciler.rollout.step import Step
from reconciler.rollout.survey import Survey


def told(
    entry: Entry, latest: Entry, outcome: Outcome, counted: Survey | None, taken: Step | None
) -> dict[str, object]:
    """The fields of an entry after a tick on `entry` as it was then; `latest` knows what the tick saw, and
    perhaps another spec. `taken` is the step that Azure accepted in it, if any."""
    # Where Azure said no, a decision was reached or can never be; every other failure leaves it open.
    is_conclusion = outcome.reason.meaning.is_conclusive
    after = replace(
        entry,
        outcome=outcome,
        model=latest.model,
        looked_at=latest.looked_at,
        survey=counted,
        concluded=entry.revision if is_conclusion else entry.concluded,
        known_at=entry.known_at if outcome.is_error else outcome.at,
        history=following(entry.history, entry.desired, latest.model, outcome, taken),
    )
    return {
        "concluded": after.concluded,
        "known_at": after.known_at,
        "conditions": conditions(after),
        "history": after.history,
    }
