"""What each reason does to what a process remembers: those that do anything beside what a plain refusal does.

A new Reason that is more than a refusal wants its row: whoever adds one says here what the progress of the rollout,
the cap on rollouts and the sweep make of it.
"""

from datetime import timedelta

import pytest

from reconciler.daemon.due import due
from reconciler.daemon.gates.concurrency import slot_after
from reconciler.daemon.outcome import Outcome
from reconciler.rollout.progress import Progress, progress_after
from reconciler.rollout.reason import Reason
from tests.build import NOW, model
from tests.daemon.states import state

# - The phase of the rollout: it begins, waits for instances, retries a step, has ended, or is unchanged.
# - The slot of spec.maxConcurrentRollouts: what becomes of one that is held, and what a process that has
#   just started assumes.
# - When it is reconciled again, unless the outcome has a time: at every sweep, or on a change. Nothing holds
#   these scale sets any more, so those on hold are reconciled at the next sweep.
MEANINGS = """
UpToDate                  over    free  free     moves
Suspended                 passes  free  free     sweep
SuspensionExpired         passes  free  free     sweep
Frozen                    passes  held  unknown  sweep
FreezeExpired             passes  held  unknown  sweep
Paused                    passes  held  unknown  sweep
PauseExpired              passes  held  unknown  sweep
PauseUnknown              passes  held  unknown  sweep
NotFound                  passes  free  free     sweep
PartialRead               passes  held  unknown  sweep
ReadsTooSlow              passes  held  unknown  sweep
NoWayBack                 passes  held  held     sweep
Claimed                   passes  held  unknown  moves
AzureUpdating                 passes  held  unknown  sweep
ModelDrift                begins  held  held     sweep
Upgrading                 begins  held  held     sweep
ModelUpdateFailed         begins  held  held     sweep
Contested                 passes  held  held     sweep
OperationFailed           retries  held  held     sweep
NoEffect                  retries  held  held     sweep
WaitingForInstances       waits   held  held     sweep
HealthCheckFailed         waits   held  held     sweep
ProgressDeadlineExceeded  waits   held  held     sweep
DeadlineExceeded          passes  held  held     sweep
GivingUp                  begins  held  held     sweep
RolloutFailed             over    held  held     moves
OutsideWindow             passes  held  free     moves
AwaitingApproval          passes  held  free     moves
TooMuchChange             passes  held  free     moves
DependencyNotReady        passes  free  free     moves
ImageFailedElsewhere      passes  held  free     moves
SourceStale               passes  held  free     moves
PauseUnread               passes  held  free     moves
AwaitingPilot             passes  held  free     moves
AwaitingTurn              passes  held  free     moves
InstancesLeftOut          over    free  free     moves
"""
# A refusal leaves the rollout as it is, keeps a slot and takes none, and is asked again at every sweep.
REFUSAL = ["passes", "held", "free", "sweep"]
ROWS = {row[0]: row[1:] for row in (line.split() for line in MEANINGS.strip().splitlines())}
PLACES = {True: "held", False: "free", None: "unknown"}


def test_no_row_repeats_the_defaults_of_a_refusal() -> None:
    assert [name for name, row in ROWS.items() if row == REFUSAL] == []


@pytest.mark.parametrize("reason", [each for each in Reason if not each.meaning.is_error])
def test_what_it_means(reason: Reason) -> None:
    outcome = Outcome("web", "a1", NOW, reason, "", reason.meaning.status)
    place, anew = (
        PLACES[slot_after(Progress(holds_slot=before), outcome, is_on_image=True, may_have_begun=False)]
        for before in (True, None)
    )
    minute_ago = NOW - timedelta(minutes=1)
    seen = state(outcome=outcome, model=model(), instances_at=minute_ago)
    again = "sweep" if due(seen, model(), NOW) else "moves"
    assert [of_rollout(reason), place, anew, again] == ROWS.get(reason, REFUSAL)


def of_rollout(reason: Reason) -> str:
    after = progress_after(Progress(1, NOW - timedelta(hours=1), 2), reason, 2, NOW)
    if after.is_under_way is not None:
        return "begins" if after.is_under_way else "over"
    if after.waiting_since and after.seen_at:
        return "retries" if after.passes else "waits"
    return "passes"
