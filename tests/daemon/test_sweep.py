"""A sweep over a settled fleet costs the list pages and nothing else, counted in the simulator's record."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.rollout.observed import FRESH
from reconciler.simulator import Exchange
from tests.messages import says
from tests.stories.world import NEW, OLD, World, fleet, scale_set, spec

SETS, PAGE = 50, 20
PAGES = Counter({"VirtualMachineScaleSets_ListAll": 3})  # of 20, 20 and 10

UPGRADE = "VirtualMachineScaleSets_UpdateInstances"


def settled(sets: int, instances: int, page: int) -> World:
    """A fleet of this size, as declared and observed once. `page` is the number of rows in a page."""
    declared = fleet(scale_set(count=sets, capacity=instances), page=page)
    return World(declared, *(spec(f"web-{number:04}", OLD) for number in range(sets))).run()


# Whether the image that all these scale sets run still exists.
ONCE_A_DAY = {"VirtualMachineImages_Get": 1}


def requests_of(world: World) -> list[Exchange]:
    """The requests of the next sweep and its reconciles."""
    before = len(world.azure.record.requests)
    world.step()
    return list(world.azure.record.requests[before:])


def operations(exchanges: list[Exchange]) -> Counter[str]:
    return Counter(exchange.operation for exchange in exchanges)


def observed_in(exchanges: list[Exchange]) -> Counter[str]:
    """The scale sets whose instances were listed, each as often as it was."""
    return Counter(
        exchange.path.split("/")[-2]
        for exchange in exchanges
        if exchange.operation == "VirtualMachineScaleSetVMs_List"
    )


@pytest.fixture
def world() -> World:
    return settled(SETS, 5, PAGE)


# To observe 1,000 scale sets of 20 builds 20,000 models of the SDK. It takes about 20 seconds, so it is done
# once.
@pytest.mark.timeout(300)
def test_a_thousand_settled_scale_sets_of_twenty_cost_their_twenty_list_pages() -> None:
    world = settled(1000, 20, 50)
    first = operations(list(world.azure.record.requests))
    assert first == {"VirtualMachineScaleSets_ListAll": 20, "VirtualMachineScaleSetVMs_List": 1000}
    for _ in range(3):
        assert operations(requests_of(world)) == {"VirtualMachineScaleSets_ListAll": 20}

    world.azure.scale_set("web-0617").bump_etag()
    moved = requests_of(world)
    assert operations(moved) == Counter(
        {"VirtualMachineScaleSets_ListAll": 20, "VirtualMachineScaleSetVMs_List": 1} | ONCE_A_DAY
    )
    assert observed_in(moved) == {"web-0617": 1}
    assert operations(requests_of(world)) == {"VirtualMachineScaleSets_ListAll": 20}


def test_the_sweeps_of_half_an_hour_cost_their_list_pages(world: World) -> None:
    for _ in range(30):
        assert operations(requests_of(world)) == PAGES


def test_a_changed_etag_costs_one_list_of_instances_of_that_scale_set(world: World) -> None:
    world.azure.scale_set("web-0017").bump_etag()
    exchanges = requests_of(world)
    assert operations(exchanges) == PAGES + Counter({"VirtualMachineScaleSetVMs_List": 1} | ONCE_A_DAY)
    assert observed_in(exchanges) == {"web-0017": 1}
    assert operations(requests_of(world)) == PAGES


def test_a_commit_without_changes_costs_no_request(world: World) -> None:
    world.merge()
    assert operations(requests_of(world)) == PAGES


def test_changed_labels_cost_no_request(world: World) -> None:
    labelled = spec("web-0017", OLD)
    labelled["metadata"]["labels"] = {"team": "shop"}
    world.merge(labelled)
    assert operations(requests_of(world)) == PAGES
    state = world.state("web-0017")
    assert state
    assert state.desired.labels == {"team": "shop"}


def test_specs_that_move_within_a_file_cost_no_request(world: World) -> None:
    def places() -> list[object]:
        return [state.desired.place for state in world.reconciler.store.states()]

    before = places()
    world.source.documents = dict(reversed(world.source.documents.items()))
    world.merge()
    assert operations(requests_of(world)) == PAGES
    assert places() != before


def test_a_changed_image_costs_requests_only_for_that_scale_set(world: World) -> None:
    world.merge(spec("web-0017", NEW))
    before = len(world.azure.record.requests)
    assert operations(requests_of(world)) == PAGES + Counter(
        {
            "VirtualMachineScaleSetVMs_List": 1,
            "VirtualMachineImages_Get": 2,  # that of the spec, and the one that the model leaves
            "VirtualMachineScaleSetRollingUpgrades_GetLatest": 1,
            "VirtualMachineScaleSets_Update": 1,
        }
    )
    world.run()
    paths = {
        exchange.path
        for exchange in world.azure.record.requests[before:]
        if exchange.operation
        not in {"VirtualMachineScaleSets_ListAll", "VirtualMachineImages_Get", "Operations_Get"}
    }
    assert paths
    assert all("/virtualMachineScaleSets/web-0017" in path for path in paths)
    assert world.lines()["web-0017"] == says("UpToDate", "5", NEW)
    world.rest(timedelta(minutes=1))
    assert operations(requests_of(world)) == PAGES


def test_a_removed_spec_costs_no_request_and_a_suspended_one_a_list_of_instances(
    world: World,
) -> None:
    world.merge(spec("web-0017", OLD, suspend=True))
    del world.source.documents["web-0018"]
    assert operations(requests_of(world)) == PAGES | {"VirtualMachineScaleSetVMs_List": 1} | ONCE_A_DAY
    assert operations(requests_of(world)) == PAGES, "and that once an interval"


def test_only_the_scale_set_whose_interval_has_passed_is_observed(world: World) -> None:
    world.merge(spec("web-0017", OLD, interval="10m"))
    world.step()
    observations = observed_in([exchange for _ in range(30) for exchange in requests_of(world)])
    assert observations == {"web-0017": 3}


def test_a_fleet_that_was_observed_together_is_observed_again_at_different_times(world: World) -> None:
    sweeps = [observed_in(requests_of(world)) for _ in range(60)]
    assert sum(sweeps, Counter()) == {f"web-{number:04}": 1 for number in range(SETS)}
    assert sweeps[:53] == [Counter()] * 53, "before nine tenths of the interval"
    busy = [sweep.total() for sweep in sweeps if sweep]
    assert len(busy) >= 5
    assert max(busy) <= SETS // 3


def test_a_delayed_first_reconcile_uses_the_list() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD))
    (due,) = world.reconciler.sweep()
    world.clock.advance(timedelta(minutes=3))
    world.reconciler.reconcile(due)
    assert operations(list(world.azure.record.requests)) == {
        "VirtualMachineScaleSets_ListAll": 1,
        "VirtualMachineScaleSetVMs_List": 1,
    }


def test_no_step_is_based_on_a_list_that_is_minutes_old() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=NEW))
    (due,) = world.reconciler.sweep()
    world.azure.scale_set("web").set_mode("Automatic")
    world.clock.advance(timedelta(minutes=3))
    world.reconciler.reconcile(due)
    assert world.lines()["web"] == says("NotManualMode")
    assert "VirtualMachineScaleSets_Update" not in world.requests()
    assert world.requests().count("VirtualMachineScaleSets_Get") == 1


def test_a_listed_model_is_used_by_one_reconcile() -> None:
    world = World(fleet(scale_set(capacity=5)), spec(version=OLD))
    (due,) = world.reconciler.sweep()
    world.reconciler.reconcile(due)
    world.reconciler.reconcile(due)
    assert operations(list(world.azure.record.requests))["VirtualMachineScaleSets_Get"] == 1


def test_a_reconcile_does_not_read_again_what_a_list_has_just_shown() -> None:
    names = ["a", "b", "c"]
    world = World(fleet(*(scale_set(name, capacity=10) for name in names)), *map(spec, names)).run()
    lists = [
        each.at for each in world.azure.record.requests if each.operation == "VirtualMachineScaleSets_ListAll"
    ]
    gets = [
        each.at
        for each, after in pairwise(world.azure.record.requests)
        # An upgrade has no If-Match: the model is read right before it, whatever a list has said.
        if each.operation == "VirtualMachineScaleSets_Get" and after.operation != UPGRADE
    ]
    assert gets
    assert all(at - max(listed for listed in lists if listed <= at) > FRESH for at in gets)


def test_no_page_is_requested_twice() -> None:
    world = World(fleet(scale_set(capacity=120), page=20), spec(version=OLD)).run()
    pages = [
        str(each.query)
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSetVMs_List"
    ]
    assert len(pages) == len(set(pages)) == 6
