"""What a session remembers of scale sets, for the budget: their regions and how long their lists are."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.azure.budget import OperationClass, Priority, Subject
from reconciler.azure.compute import Compute
from reconciler.azure.expiring import ExpiringMap
from reconciler.azure.failure import TooManyRequests
from reconciler.azure.session import Session
from reconciler.rollout.observed import Model
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.simulator import Simulator, VirtualClock
from tests.azure.conftest import IMAGE, TARGET
from tests.stories.world import fleet, scale_set
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


def test_a_page_that_has_arrived_is_no_longer_in_flight(clock: VirtualClock) -> None:
    """Azure has counted its instances, so other responses report them already."""
    azure = Simulator.load(fleet(scale_set(capacity=10), page=4), clock)
    session = Session(credential=Token(), transport=azure.transport(), now=clock.now)
    views, expected = "VMScaleSetVMViewsSubscriptionMaximum", 10

    def left() -> int:
        clock.advance(timedelta(seconds=2))
        header = {"x-ms-ratelimit-remaining-resource": f"Microsoft.Compute/{views};20000"}
        session.budget.note(Subject(TARGET.subscription), header, clock.now())
        (found,) = {
            each.requests for each in session.budget.requests_left(clock.now()) if each.bucket == views
        }
        return found

    with session.call(OperationClass.HIGH_COST_GET, LIST, Priority.ROLLOUT, instances=expected) as call:
        rows, found = call.rows(LIST), [left()]
        for _ in range(10):
            next(rows)
            found.append(left())
    assert found == [19_990, *[19_994] * 4, *[19_998] * 4, *[20_000] * 2]
    assert left() == 20_000


@pytest.mark.parametrize(
    ("bucket", "enough", "call"),
    [
        pytest.param(
            "VMScaleSetVMViewsSubscriptionMaximum",
            7000,
            lambda compute, model: compute.instances(TARGET, replace(model, capacity=7000), Priority.ROLLOUT),
            id="a list of its instances",
        ),
        pytest.param(
            "VMScaleSetBatchedVMRequestsSubscriptionMaximum",
            1300,
            lambda compute, _: compute.take(TARGET, Upgrade(("0",) * 1300, IMAGE)),
            id="an upgrade of its instances",
        ),
        pytest.param(
            "VMScaleSetBatchedVMRequestsSubscriptionMaximum",
            1201,
            lambda compute, model: compute.take(TARGET, PatchModel(IMAGE, model.etag)),
            id="a patch of its model",
        ),
    ],
)
def test_a_call_waits_while_one_instance_too_few_is_left(
    session: Session, clock: VirtualClock, bucket: str, enough: int, call: Callable[[Compute, Model], object]
) -> None:
    """A rollout needs more than a fifth of the bucket. A call of more instances needs one for each."""
    compute = Compute(session)
    model = compute.model(TARGET, Priority.ROLLOUT)
    assert isinstance(model, Model)
    subject = Subject(TARGET.subscription.casefold(), model.location, SCALE_SET.casefold())
    header, stem = "x-ms-ratelimit-remaining-resource", f"Microsoft.Compute/{bucket}"
    session.budget.note(subject, {header: f"{stem};{enough - 1}"}, clock.now())
    with pytest.raises(TooManyRequests):
        call(compute, model)
    clock.advance(timedelta(seconds=1))
    session.budget.note(subject, {header: f"{stem};{enough}"}, clock.now())
    call(compute, model)


def test_deleted_scale_sets_are_forgotten(session: Session, clock: VirtualClock) -> None:
    """One new scale set a day for three years: those of a week stay, and as many that have expired."""
    for day in range(1000):
        session.locate(f"{SCALE_SET}-{day}".casefold(), "westeurope")
        session.note_pages(f"{SCALE_SET}-{day}/virtualMachines", 20)
        clock.advance(DAY)
    sizes = [len(each) for each in vars(session).values() if isinstance(each, ExpiringMap)]
    assert len(sizes) == 2
    assert all(7 <= size <= 16 for size in sizes)
