"""The next batch: by the order that the spec gives, and back in reverse."""

from typing import Any

import pytest

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.step import Upgrade
from reconciler.spec.amount import Count
from reconciler.spec.scale_set import By, Canary, OnFailure
from tests.build import NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

ZONAL = tuple(outdated(n, zone="123"[n % 3], update_domain=n % 2) for n in range(9))


@pytest.mark.parametrize(
    ("order", "by", "instances", "ids"),
    [
        pytest.param((), By.AUTO, fleet(), ["0", "5"], id="by number, unless it is said"),
        pytest.param(("update domain 3",), By.AUTO, fleet(), ["3", "8"], id="the one that is named first"),
        pytest.param(
            ("update domain 3", "update domain 1"),
            By.AUTO,
            fleet(instance(3), instance(8)),
            ["1", "6"],
            id="the next that is named",
        ),
        pytest.param(
            ("update domain 3",), By.AUTO, fleet(instance(3), instance(8)), ["0", "5"], id="then the others"
        ),
        pytest.param(("zone 2",), By.AUTO, ZONAL, ["4"], id="a zone means all of its update domains"),
        pytest.param(
            ("zone 2, update domain 1",), By.AUTO, ZONAL, ["1", "7"], id="an update domain of one zone"
        ),
        pytest.param(
            ("update domain 1",), By.AUTO, ZONAL, ["3"], id="an update domain means that of every zone"
        ),
        pytest.param(("update domain 9",), By.AUTO, fleet(), ["0", "5"], id="what is not there is no matter"),
        pytest.param(("fault domain 2",), By.FAULT_DOMAIN, fleet(), ["2", "5"], id="a fault domain"),
    ],
)
def test_the_domain_that_goes_first(order: Any, by: By, instances: Any, ids: list[str]) -> None:
    seen = observed(model=model(capacity=len(instances)), instances=instances)
    assert decided(spec(order=order, by=by, max_batch=Count(2)), seen).step == Upgrade(tuple(ids), NEW)


def test_the_survey_counts_in_the_order_of_the_rollout() -> None:
    decision = decided(spec(order=("update domain 4", "update domain 2")), observed())
    assert decision.counts is not None
    assert [tally.domain.number for tally in decision.counts.domains] == [4, 2, 0, 1, 3]


GIVEN_UP = model(image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(NEW)))


def on_new(*numbers: int) -> Any:
    """These are healthy on the failed image, and the others run the last good one."""
    return tuple(instance(n) if n in numbers else instance(n, image=OLD, since=NOW) for n in range(10))


@pytest.mark.parametrize(
    ("rollout", "upgraded", "ids"),
    [
        pytest.param({}, (0, 5, 1, 6), ["6", "1"], id="the last domain first"),
        pytest.param(
            {"order": ("update domain 1",)}, (0, 5, 1, 6), ["5", "0"], id="the last in the order of the spec"
        ),
        pytest.param({"max_batch": Count(1)}, (0, 5, 1, 6), ["6"], id="within it the last instance first"),
        pytest.param(
            {"canary": Canary(("0",), soak=NOW - NOW)},
            (0, 5, 1, 6),
            ["6", "1"],
            id="the canary, which went first, last",
        ),
    ],
)
def test_a_rollback_goes_back_the_way_it_came(rollout: dict[str, Any], upgraded: Any, ids: list[str]) -> None:
    desired = spec(on_failure=OnFailure.ROLLBACK, **rollout)
    decision = decided(desired, observed(model=GIVEN_UP, instances=on_new(*upgraded)))
    assert decision.step == Upgrade(tuple(ids), OLD)
    instances = "1 instance" if len(ids) == 1 else f"{len(ids)} instances"
    assert decision.line == says("Upgrading", f"rolling back {instances}", OLD.version)
