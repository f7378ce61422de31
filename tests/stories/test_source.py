"""A source of specs that cannot be read for long, and specs that are removed in the middle of a rollout."""

from datetime import datetime, timedelta

import pytest

from reconciler.daemon.report import store as report
from reconciler.rollout.reason import Status
from tests.messages import says
from tests.stories.fleets import MINUTE, on, reason, sets, writes
from tests.stories.world import BAD, FIX, NEW, OLD, World, of_all, spec

HOUR = timedelta(hours=1)


# The window opens three hours after the beginning of a story.
WINDOW = {"kind": "allow", "schedule": "0 12 * * *", "duration": "8h"}
CLOSED = spec(version=NEW, rollout={"windows": [WINDOW]})


def test_no_rollout_begins_by_specs_that_could_not_be_read_for_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(sets("web", capacity=3), CLOSED)
    world.rest(MINUTE)
    world.source.is_unreachable = True
    world.rest(4 * HOUR)
    assert world.lines()["web"] == says("SourceStale", "2026-01-05 09:01 UTC")
    assert (writes(world, "web"), world.state().outcome.status) == ([], Status.WAITING)  # type: ignore[union-attr]
    assert report(world.reconciler.store)["sweep"]["staleSince"].startswith("2026-01-05T09:01")
    told = [
        each.getMessage() for each in caplog.records if "no rollout will begin until" in each.getMessage()
    ]
    assert len(told) == 1
    world.source.is_unreachable = False
    world.rest(2 * MINUTE).run()
    assert on(world, "web") == {NEW}
    assert report(world.reconciler.store)["sweep"]["staleSince"] is None


def test_the_time_since_when_specs_could_not_be_read_is_by_the_clock_of_azure() -> None:
    world = World(sets("web", capacity=3), CLOSED)
    world.jump(HOUR)
    world.rest(MINUTE)
    world.source.is_unreachable = True
    found = set()
    for _ in range(10):
        world.rest(10 * MINUTE)
        found.add(report(world.reconciler.store)["sweep"]["staleSince"])
    assert None in found
    (since,) = found - {None}
    assert since.startswith("2026-01-05T09:01")


def last_read(world: World) -> tuple[datetime, datetime]:
    """When the last sweep began, and when the source had last been read."""
    sweep = world.reconciler.store.last_sweep
    assert sweep is not None
    assert sweep.source_read_at is not None
    return sweep.at, sweep.source_read_at


@pytest.mark.parametrize(
    "ahead", [pytest.param(timedelta(), id="right clock"), pytest.param(HOUR, id="clock an hour ahead")]
)
def test_the_time_of_the_last_read_stays_while_the_source_cannot_be_read(ahead: timedelta) -> None:
    """The alert on specs that are not read compares this time with the clock."""
    world = World(sets("web", capacity=3), CLOSED)
    world.jump(ahead)
    world.rest(10 * MINUTE)
    world.source.is_unreachable = True
    found = []
    for passed in range(30):
        if passed == 10:
            world.jump(timedelta(seconds=30))
        world.rest(MINUTE)
        found.append(last_read(world))
    assert {read_at for _, read_at in found} == {found[0][1]}
    at, read_at = found[-1]
    assert timedelta(minutes=30) <= at - read_at < timedelta(minutes=32)
    world.source.is_unreachable = False
    world.rest(2 * MINUTE)
    at, read_at = last_read(world)
    assert at - read_at < MINUTE


def test_a_short_outage_blocks_nothing() -> None:
    world = World(sets("web", capacity=3), CLOSED)
    world.rest(2 * HOUR + 10 * MINUTE)
    world.source.is_unreachable = True
    world.rest(55 * MINUTE)
    assert writes(world, "web") != []


def test_a_rollout_in_progress_continues_without_its_source() -> None:
    world = World(sets("web", capacity=5), spec(version=NEW, rollout={"soak": "1h"}))
    world.run(lambda: world.has_upgraded(1))
    world.source.is_unreachable = True
    world.rest(8 * HOUR)
    assert (on(world, "web"), reason(world)) == ({NEW}, "UpToDate")


def test_a_bad_image_is_taken_back_without_a_source() -> None:
    rollout = {"onFailure": "rollback"}
    world = World(sets("web", capacity=5), spec(version=OLD, rollout=rollout)).run()
    world.merge(spec(version=BAD, rollout=rollout))
    world.run(lambda: world.has_upgraded(1))
    world.source.is_unreachable = True
    world.rest(8 * HOUR)
    assert on(world, "web") == {OLD}


def test_the_next_scale_set_of_a_fleet_does_not_begin() -> None:
    world = World(
        sets("api", "web", capacity=3),
        of_all(maxConcurrentRollouts=1),
        *(spec(name, NEW, rollout={"soak": "2h"}) for name in ("api", "web")),
    )
    world.run(lambda: world.has_upgraded(1))
    world.source.is_unreachable = True
    world.rest(12 * HOUR)
    assert sorted((reason(world, "api"), reason(world, "web"))) == ["SourceStale", "UpToDate"]


def test_a_spec_removed_in_the_middle_of_a_rollout_leaves_an_orphan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(sets("api", "web", capacity=5), spec("api", OLD), spec("web", NEW))
    world.run(lambda: on(world, "web") == {NEW, OLD})
    world.rest(2 * MINUTE)
    world.unmerge("web")
    world.rest(2 * MINUTE)
    (orphan,) = report(world.reconciler.store)["orphans"]
    counts = orphan["instances"]
    assert (orphan["name"], orphan["image"], counts["total"]) == ("web", NEW, 5)
    assert 0 < counts["upToDate"] < 5
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [each.partition(", so nothing")[0] for each in told] == [
        "web: Orphaned: no spec declares the scale set"
    ]
    assert f"{counts['upToDate']} of 5 instances" in orphan["message"]
    world.merge(spec("web", NEW))
    world.rest(2 * MINUTE).run()
    assert (report(world.reconciler.store)["orphans"], on(world, "web")) == ([], {NEW})


def test_a_spec_removed_after_its_rollout_leaves_no_orphan() -> None:
    world = World(sets("api", "web", capacity=3), spec("api", OLD), spec("web", FIX)).run()
    world.unmerge("web")
    world.rest(2 * MINUTE)
    assert report(world.reconciler.store)["orphans"] == []
