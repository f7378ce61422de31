"""What a session remembers of scale sets, for the budget: their regions and how long their lists are."""

from datetime import timedelta

import pytest

from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.expiring import ExpiringMap
from reconciler.azure.failure import TooManyRequests
from reconciler.azure.session import Session
from reconciler.simulator import Simulator, VirtualClock
from tests.azure.conftest import TARGET
from tests.token import Token

DAY = timedelta(days=1)
SCALE_SET, LIST = TARGET.id, f"{TARGET.id}/virtualMachines"


@pytest.fixture
def session(azure: Simulator, clock: VirtualClock) -> Session:
    return Session(credential=Token(), transport=azure.transport(), now=clock.now)


@pytest.mark.parametrize(
    ("after", "location"),
    [
        pytest.param(DAY, "westeurope", id="kept for the longest interval between two observations"),
        pytest.param(8 * DAY, "", id="forgotten a week after the last observation"),
    ],
)
def test_the_region_of_a_scale_set_is_remembered(
    session: Session, clock: VirtualClock, after: timedelta, location: str
) -> None:
    session.locate(SCALE_SET.casefold(), "westeurope")
    clock.advance(after)
    with session.call(OperationClass.GET, SCALE_SET, Priority.ROLLOUT) as call:
        assert call.subject.location == location


def test_a_list_that_had_twenty_pages_acquires_twenty_requests(session: Session, clock: VirtualClock) -> None:
    session.note_pages(LIST, 20)
    clock.advance(DAY)
    with session.call(OperationClass.HIGH_COST_GET, SCALE_SET, Priority.ROLLOUT) as call:
        left = {"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/HighCostGetVMScaleSetResource;15"}
        session.budget.note(call.subject, left, clock.now())
    with pytest.raises(TooManyRequests), session.call(OperationClass.HIGH_COST_GET, LIST, Priority.ROLLOUT):
        pass


def test_deleted_scale_sets_are_forgotten(session: Session, clock: VirtualClock) -> None:
    """One new scale set a day for three years: those of a week stay, and as many that have expired."""
    for day in range(1000):
        session.locate(f"{SCALE_SET}-{day}".casefold(), "westeurope")
        session.note_pages(f"{SCALE_SET}-{day}/virtualMachines", 20)
        clock.advance(DAY)
    sizes = [len(each) for each in vars(session).values() if isinstance(each, ExpiringMap)]
    assert len(sizes) == 2
    assert all(7 <= size <= 16 for size in sizes)
