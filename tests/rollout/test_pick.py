"""A pick orders the next batch, and changes nothing else of a decision."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.gate import Gate
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.pick import Pick
from reconciler.rollout.place import instances_at, places, whole_name
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Upgrade
from reconciler.spec.amount import Count
from reconciler.spec.scale_set import By, Canary, OnFailure
from tests.build import NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

SICK = {"health": "unhealthy", "since": NOW - timedelta(hours=1)}
ZONAL = tuple(outdated(n, zone="123"[n % 3], update_domain=n % 2) for n in range(9))


def pick(*ids: str, by: str = "ada") -> Pick:
    return Pick(frozenset(ids), by, NOW)


@pytest.mark.parametrize(
    ("picked", "rollout", "instances", "ids"),
    [
        pytest.param("38", {}, fleet(), "38", id="a domain that is not the first"),
        pytest.param("8", {}, fleet(), "8", id="only the picked instance of its domain"),
        pytest.param("37", {}, fleet(), "7", id="of two domains, the first in the order of the rollout"),
        pytest.param(
            "37", {"order": ("update domain 3",)}, fleet(), "3", id="of two domains, the first by the spec"
        ),
        pytest.param("38", {"max_batch": Count(1)}, fleet(), "3", id="no more than a batch"),
        pytest.param(
            "38",
            {"max_batch": Count(1)},
            fleet(instance(3)),
            "8",
            id="the rest of a domain that takes several batches",
        ),
        pytest.param("38", {"max_unavailable": Count(1)}, fleet(), "3", id="no more than may be unavailable"),
        pytest.param(
            "38", {}, fleet(instance(3), instance(8)), "05", id="once it is served, the usual order"
        ),
        pytest.param("38", {}, fleet(outdated(3, protected=True)), "8", id="a protected one is left out"),
        pytest.param(
            "38",
            {},
            fleet(outdated(3, protected=True), outdated(8, power="deallocated")),
            "05",
            id="where none can be upgraded, the usual order",
        ),
        pytest.param("38", {}, fleet(outdated(1, **SICK)), "1", id="an unhealthy instance goes first"),
        pytest.param(
            "18",
            {},
            fleet(outdated(0, **SICK), outdated(1, **SICK)),
            "1",
            id="of two unhealthy instances, the picked one goes first",
        ),
        pytest.param(
            "38", {"canary": Canary(("0",), soak=timedelta())}, fleet(), "0", id="a named canary goes first"
        ),
        pytest.param(
            "38",
            {"canary": Canary(Count(1), soak=timedelta())},
            fleet(),
            "3",
            id="a canary of a number of instances is one of them",
        ),
        pytest.param("x", {}, fleet(), "05", id="an instance that is gone changes nothing"),
    ],
)
def test_the_next_batch(picked: str, rollout: dict[str, Any], instances: Any, ids: str) -> None:
    desired = spec(**({"max_batch": Count(2)} | rollout))
    decision = decided(desired, observed(instances=instances, pick=pick(*picked)))
    assert isinstance(decision.step, Upgrade)
    assert decision.step.instance_ids == tuple(ids)
    if set(ids) <= set(picked):
        assert decision.line == says("Upgrading", "picked by ada")
    else:
        assert "picked" not in decision.line


@pytest.mark.parametrize(
    ("desired", "seen"),
    [
        pytest.param(
            spec(), {"gates": (Gate("window", "closed", Reason.OUTSIDE_WINDOW),)}, id="a closed gate"
        ),
        pytest.param(spec(), {"model": model(mode="Automatic")}, id="a refusal"),
        pytest.param(spec(), {"instances": fleet(instance(0, **SICK))}, id="an upgraded unhealthy instance"),
        pytest.param(
            spec(), {"instances": fleet(outdated(9, provisioning="updating"))}, id="an instance in transition"
        ),
        pytest.param(
            spec(),
            {"instances": fleet(*(outdated(n, protected=True, **SICK) for n in (0, 1, 2)))},
            id="too many unhealthy instances",
        ),
        pytest.param(
            spec(soak=timedelta(minutes=5)), {"instances": fleet(instance(0))}, id="the soak of another batch"
        ),
        pytest.param(spec(), {"model": model(image=OLD)}, id="a model on another image"),
        pytest.param(spec(), {"instances": fleet(rest="upgraded")}, id="nothing left to upgrade"),
        pytest.param(
            spec(on_failure=OnFailure.ROLLBACK),
            {
                "model": model(
                    image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(NEW))
                ),
                "instances": tuple(
                    instance(n) if n < 6 else instance(n, image=OLD, since=NOW) for n in range(10)
                ),
            },
            id="a rollback",
        ),
    ],
)
def test_a_pick_changes_no_decision_but_that_of_the_next_batch(desired: Any, seen: dict[str, Any]) -> None:
    without = observed(**seen)
    assert decided(desired, replace(without, pick=pick("3", "8"))) == decided(desired, without)


def test_a_pick_by_nobody_is_one_by_hand() -> None:
    assert decided(spec(), observed(pick=pick("3", by=""))).line == says("Upgrading", "picked by hand")


def test_a_pick_of_instances_that_are_in_no_domain_names_none() -> None:
    assert decided(spec(by=By.BATCH), observed(pick=pick("3", "8"))).line == (
        says("Upgrading", "2 instances (web_3, web_8), picked by ada, to 24.04.202601140")
    )


@pytest.mark.parametrize(
    ("place", "instances", "ids"),
    [
        pytest.param("update domain 3", fleet(), "38", id="an update domain"),
        pytest.param(" Update  Domain 3 ", fleet(), "38", id="in other letters and spaces"),
        pytest.param("3", fleet(), "38", id="its number"),
        pytest.param("03", fleet(), "38", id="its number with a zero"),
        pytest.param("fault domain 2", fleet(), "258", id="a fault domain"),
        pytest.param("fault domain 2, update domain 3", fleet(), "8", id="both"),
        pytest.param("zone 2", ZONAL, "147", id="a zone"),
        pytest.param("1", ZONAL, "1357", id="a number is the update domain of every zone"),
        pytest.param("zone 2, update domain 1", ZONAL, "17", id="an update domain of one zone"),
        pytest.param("placement group a0000000", fleet(of=2), "01", id="a placement group"),
        pytest.param(
            "2",
            tuple(outdated(n, zone="123"[n], update_domain=None) for n in range(3)),
            "1",
            id="a zone by number where there are no update domains",
        ),
        pytest.param(
            "2",
            tuple(outdated(n, update_domain=None) for n in range(4)),
            "2",
            id="a fault domain by number where there is nothing else",
        ),
        pytest.param("update domain 30", fleet(), "", id="a number that begins with another"),
        pytest.param("domain 3", fleet(), "", id="half a name"),
    ],
)
def test_which_instances_are_at_a_place(place: str, instances: Any, ids: str) -> None:
    found = instances_at(whole_name(place, instances), instances)
    assert [each.id for each in found] == list(ids)


def test_places_are_named_in_their_order() -> None:
    some = tuple(outdated(n, zone="1", update_domain=n, fault_domain=None) for n in (10, 2))
    assert places(some) == [
        "placement group a0000000",
        "update domain 2",
        "update domain 10",
        "zone 1",
    ]
