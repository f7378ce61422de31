"""What each reason does to what a process remembers: all that there are, each written out.

A new Reason wants its row: whoever adds one says here what the memory of looks, the cap on rollouts and the sweep
make of it.
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

# - Of the rollout: it begins, waits for instances, is over, or the look passes.
# - Of the place under spec.maxConcurrentRollouts: what becomes of one that is held; and what a process that has
#   just started takes it for.
# - When it is looked at again, where nothing else says so: at every sweep, or when it moves.
MEANINGS = """
UpToDate                  over    free  free     moves
Suspended                 passes  free  free     sweep
SuspensionExpired         passes  free  free     sweep
Frozen                    passes  held  unknown  sweep
FreezeExpired             passes  held  unknown  sweep
NotFound                  passes  free  free     sweep
PartialRead               passes  held  unknown  sweep
ReadsTooSlow              passes  held  unknown  sweep
ManagedByAnother          passes  held  free     sweep
NoProfile                 passes  held  free     sweep
EtagMissing               passes  held  free     sweep
ServiceFabric             passes  held  free     sweep
NotManualMode             passes  held  free     sweep
AutomaticOSUpgrade        passes  held  free     sweep
NativeUpgradeInProgress   passes  held  free     sweep
StateUnreadable           passes  held  free     sweep
ImageUnreadable           passes  held  free     sweep
ImageTypeImmutable        passes  held  free     sweep
ImageIncompatible         passes  held  free     sweep
ImageNotFound             passes  held  free     sweep
ImageNotReplicated        passes  held  free     sweep
ImageReplicating          passes  held  free     sweep
ImageDeprecated           passes  held  free     sweep
NoLatestVersion           passes  held  free     sweep
CatalogueUnreadable       passes  held  free     sweep
TooManyModels             passes  held  free     sweep
TooManyTags               passes  held  free     sweep
DomainsUnknown            passes  held  free     sweep
AzureBusy                 passes  held  unknown  sweep
ModelDrift                begins  held  held     sweep
Upgrading                 begins  held  held     sweep
ModelUpdateFailed         begins  held  held     sweep
OperationFailed           waits   held  held     sweep
NoEffect                  waits   held  held     sweep
WaitingForInstances       waits   held  held     sweep
HealthCheckFailed         waits   held  held     sweep
ProgressDeadlineExceeded  waits   held  held     sweep
DeadlineExceeded          passes  held  held     sweep
GivingUp                  begins  held  held     sweep
RolloutFailed             over    held  held     moves
ConfirmingHealth          passes  held  free     sweep
Soaking                   passes  held  free     sweep
Baking                    passes  held  free     sweep
CanaryMissing             passes  held  free     sweep
TooManyUnhealthy          passes  held  free     sweep
TooManyUnavailable        passes  held  free     sweep
OutsideWindow             passes  held  free     moves
AwaitingApproval          passes  held  free     moves
TooMuchChange             passes  held  free     moves
DependencyNotReady        passes  free  free     moves
CheckFailed               passes  held  free     sweep
AwaitingTurn              passes  held  free     moves
InstancesLeftOut          over    free  free     moves
"""
ROWS = [line.split() for line in MEANINGS.strip().splitlines()]
PLACES = {True: "held", False: "free", None: "unknown"}


def test_every_reason_has_its_row() -> None:
    assert [row[0] for row in ROWS] == [each for each in Reason if not each.meaning.is_error]


@pytest.mark.parametrize(("reason", "expected"), [pytest.param(row[0], row[1:], id=row[0]) for row in ROWS])
def test_what_it_means(reason: Reason, expected: list[str]) -> None:
    outcome = Outcome("web", "a1", NOW, Reason(reason), "", Reason(reason).meaning.status)
    place, anew = (
        PLACES[slot_after(Progress(holds_slot=before), outcome, may_have_begun=False)]
        for before in (True, None)
    )
    minute_ago = NOW - timedelta(minutes=1)
    seen = state(outcome=outcome, model=model(), instances_at=minute_ago)
    again = "sweep" if due(seen, model(), NOW) else "moves"
    assert [of_rollout(Reason(reason)), place, anew, again] == expected


def of_rollout(reason: Reason) -> str:
    after = progress_after(Progress(1, NOW - timedelta(hours=1), 2), reason, 2, NOW)
    if after.is_under_way is not None:
        return "begins" if after.is_under_way else "over"
    return "passes" if after.passes else "waits"
