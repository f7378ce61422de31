"""Several daemons over one repository, each for a shard of the fleet."""

from datetime import timedelta
from typing import Any

from reconciler.daemon import report
from reconciler.spec.label import Requirement
from reconciler.spec.shard import Shard
from tests.stories.world import NEW, World, fleet, of_all, scale_set, spec

EMEA, APAC, TIER = (
    Shard("emea", (Requirement.of("region=emea"),)),
    Shard("apac", (Requirement.of("region=apac"),)),
    Shard("tier", (Requirement.of("tier=front"),)),
)
CANARY = {"canary": {"instances": 1}}


def labelled(name: str, **labels: str) -> dict[str, Any]:
    document = spec(name, rollout=CANARY)
    return document | {"metadata": {"name": name, "labels": labels}}


def shards(*shards: Shard) -> World:
    """A world of two scale sets, of which each shard has a daemon of its own."""
    world = World(
        fleet(scale_set("api", capacity=5), scale_set("web", capacity=5)),
        of_all(),
        labelled("api", region="apac", tier="back"),
        labelled("web", region="emea", tier="front"),
    )
    world.daemons.clear()
    for number, each in enumerate(shards):
        world.join(timedelta(seconds=7 * number), shard=each)
    return world


def writers(world: World, name: str) -> set[int]:
    """Which daemons have written to the scale set, counted from 0."""
    numbers = {daemon.client: number for number, daemon in enumerate(world.daemons)}
    requests = world.azure.record.requests
    return {
        numbers[each.client]
        for each in requests
        if each.method != "GET" and f"/{name}" in each.path.casefold()
    }


def reasons(world: World, number: int) -> dict[str, str]:
    states = world.daemons[number].reconciler.store.states()
    return {each.desired.name: str(each.outcome.reason) if each.outcome else "" for each in states}


def test_each_daemon_acts_for_its_shard_and_says_so() -> None:
    world = shards(EMEA, APAC).run()
    assert (writers(world, "web"), writers(world, "api")) == ({0}, {1})
    assert (reasons(world, 0), reasons(world, 1)) == ({"web": "UpToDate"}, {"api": "UpToDate"})
    shown = report.store(world.daemons[0].reconciler.store)
    assert shown["sweep"]["shard"] == {"name": "emea", "message": "shard emea (region=emea)", "of": 2}
    assert not shown["orphans"]


def test_one_of_two_shards_that_select_a_scale_set_acts_for_it() -> None:
    world = shards(EMEA, TIER)
    world.rest(timedelta(hours=3))
    owner, *others = writers(world, "web")
    assert not others
    assert reasons(world, owner) == {"web": "UpToDate"}
    assert reasons(world, 1 - owner) == {"web": "OwnedByAnotherFleet"}
    assert {each.image.rpartition(":")[2] for each in world.azure.scale_set("web").instances} == {NEW}


def test_a_scale_set_that_moves_to_another_shard_waits_to_be_taken_over() -> None:
    world = shards(EMEA, APAC)
    world.run(lambda: world.has_upgraded(1) and bool(writers(world, "web")))
    world.merge(labelled("web", region="apac"), labelled("api", region="emea"))
    before = len(world.azure.record.requests)
    world.rest(timedelta(hours=1))
    assert "OwnedByAnotherFleet" in reasons(world, 1)["web"]
    assert not report.store(world.daemons[0].reconciler.store)["orphans"]
    written = [each for each in world.azure.record.requests[before:] if each.method != "GET"]
    assert not [each for each in written if "/web" in each.path.casefold()]
