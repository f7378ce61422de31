"""Windows and freezes over time: what they block, and which remediation they allow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.messages import says
from tests.stories.world import BAD, FIX, NEW, OLD, World, fleet, of_all, scale_set, spec

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WRITES = {"VirtualMachineScaleSets_Update", "VirtualMachineScaleSets_UpdateInstances"}


def window(schedule: str, duration: str = "30m", kind: str = "allow", zone: str = "UTC") -> dict[str, str]:
    return {"kind": kind, "schedule": schedule, "duration": duration, "timeZone": zone}


def windowed(*windows: dict[str, str], version: str = NEW, **rollout: Any) -> dict[str, Any]:
    return spec(version=version, rollout={"windows": list(windows), **rollout})


def writes(world: World) -> list[datetime]:
    """The times of all writes."""
    return [each.at for each in world.azure.record.requests if each.operation in WRITES]


def upgrades(world: World) -> list[list[str]]:
    asked = [
        each
        for each in world.azure.record.requests
        if each.operation == "VirtualMachineScaleSets_UpdateInstances"
    ]
    return [list(each.body["instanceIds"]) for each in asked]


def model(world: World) -> str:
    return world.azure.scale_set("web").image.rpartition(":")[2]


def at(world: World, moment: datetime) -> World:
    """Restart the daemon at this moment."""
    world.clock.advance(moment - world.clock.now())
    world.restart()
    return world


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed every minute"]
)
def test_a_rollout_over_several_windows_writes_nothing_outside_them(*, killed: bool) -> None:
    world = World(fleet(scale_set()), windowed(window("10,40 * * * *", "4m")))
    for _ in range(90):
        world.rest(MINUTE)
        if killed:
            world.restart()
    world.rest(MINUTE)
    assert world.lines()["web"] == says("UpToDate", "20", NEW)
    assert all(each.minute % 30 in range(10, 14) for each in writes(world))
    assert len({each.minute // 30 + 2 * each.hour for each in writes(world)}) > 1


def test_a_batch_in_progress_is_completed_when_the_window_closes() -> None:
    world = World(fleet(scale_set()), windowed(window("30 9 * * *", "2m")))
    world.run(lambda: bool(upgrades(world)))
    world.rest(10 * MINUTE)
    assert [len(batch) for batch in upgrades(world)] == [4]
    assert not world.azure.record.unavailable_at("web", world.clock.now()), "the batch is healthy"
    assert world.lines()["web"] == says("OutsideWindow", "2026-01-06 09:30 UTC")
    at(world, datetime(2026, 1, 6, 9, 20, tzinfo=UTC)).run(lambda: len(upgrades(world)) > 1)
    assert world.clock.now() - datetime(2026, 1, 6, 9, 30, tzinfo=UTC) < MINUTE


def test_a_rollout_continues_as_soon_as_its_window_opens() -> None:
    world = World(fleet(scale_set(capacity=5)), windowed(window("7 9 * * *")))
    world.run(lambda: bool(writes(world)))
    assert writes(world)[0] - datetime(2026, 1, 5, 9, 7, tzinfo=UTC) < MINUTE


def test_a_deny_window_of_the_fleet_overrides_an_allow_window_of_the_spec() -> None:
    quiet = of_all(windows=[window("0 9 * * *", "3h", "deny", "Europe/Berlin")])
    world = World(fleet(scale_set(capacity=5)), quiet, windowed(window("0 8 * * *", "24h")))
    world.rest(90 * MINUTE)
    assert writes(world) == []
    assert world.lines()["web"] == says("OutsideWindow", "0", "9", "2026-01-05 11:00 UTC")
    world.run()
    assert min(writes(world)) >= datetime(2026, 1, 5, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("night", "opens", "closes"),
    [
        pytest.param(
            datetime(2026, 3, 28, 23, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 45, tzinfo=UTC),
            id="02:30 is skipped: the window opens at 03:00",
        ),
        pytest.param(
            datetime(2026, 10, 24, 23, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
            id="02:30 occurs twice: the window opens the first time only",
        ),
    ],
)
def test_a_window_opens_once_in_the_night_when_clocks_change(
    night: datetime, opens: datetime, closes: datetime
) -> None:
    world = World(
        fleet(scale_set(capacity=5)), windowed(window("30 2 * * *", "45m", zone="Europe/Berlin"), soak="12m")
    )
    at(world, night).rest(4 * HOUR)
    assert opens <= min(writes(world)) < opens + MINUTE
    assert max(writes(world)) < closes
    assert len(upgrades(world)) < 5, "the window is too short for the whole rollout"


WITH_CANARY = {"canary": {"instances": 1}, "windows": [window("0 9 * * *", "10m")]}


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed every minute"]
)
def test_outside_the_window_a_fix_goes_at_once_to_the_unhealthy_canary_alone(*, killed: bool) -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=BAD, rollout=WITH_CANARY))
    world.rest(20 * MINUTE)
    assert world.reasons()[-1] == "HealthCheckFailed"
    world.merge(spec(version=FIX, rollout=WITH_CANARY))
    merged = world.clock.now()
    for _ in range(30):
        world.rest(MINUTE)
        if killed:
            world.restart()
    world.rest(MINUTE)
    assert upgrades(world) == [["0"], ["0"]], "the unhealthy instance is upgraded, and no other"
    assert model(world) == FIX
    (_, _, recorded, patched, upgraded) = writes(world)
    assert recorded < merged, "the failure of the bad image"
    assert patched - merged <= 2 * MINUTE
    assert upgraded - merged <= 5 * MINUTE
    assert world.lines()["web"] == says("OutsideWindow", "2026-01-06 09:00 UTC")
    assert not world.azure.record.unavailable_at("web", world.clock.now())
    at(world, datetime(2026, 1, 6, 8, 59, tzinfo=UTC)).rest(12 * MINUTE)
    assert len(upgrades(world)) > 2


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed once"]
)
def test_a_freeze_stops_even_remediation(*, killed: bool) -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=BAD))
    world.run(lambda: world.reasons()[-1:] == ["HealthCheckFailed"])
    until = "2026-01-05T12:00:00Z"
    world.merge(spec(version=FIX), of_all(freeze={"reason": "audit", "by": "ada", "until": until}))
    if killed:
        world.restart()
    before = writes(world)
    world.rest(2 * HOUR)
    assert world.lines()["web"] == says("Frozen", "2026-01-05 12:00 UTC")
    assert world.state().outcome.status == "Suspended"  # type: ignore[union-attr]
    world.rest(HOUR)
    assert world.lines()["web"] == says("FreezeExpired", "2026-01-05 12:00 UTC", "spec.freeze")
    assert world.state().outcome.status == "Stalled"  # type: ignore[union-attr]
    assert writes(world) == before
    world.merge(of_all(freeze=False))
    world.rest(2 * MINUTE).run()
    assert world.lines()["web"] == says("UpToDate", "10", FIX)


def test_a_freeze_stops_a_rollback_in_progress() -> None:
    world = World(fleet(scale_set(capacity=10)), spec(version=BAD, rollout={"onFailure": "rollback"}))
    world.run(lambda: model(world) == OLD)
    world.merge(of_all(freeze=True))
    before = writes(world)
    world.rest(2 * HOUR)
    assert writes(world) == before
    assert world.lines()["web"] == says("Frozen")
    world.merge(of_all(freeze=False))
    world.rest(HOUR)
    assert world.reasons()[-1] == "RolloutFailed"
    assert {image.rpartition(":")[2] for image in world.azure.record.images("web").values()} == {OLD}


def test_a_batch_started_before_a_freeze_becomes_healthy_and_none_follows() -> None:
    world = World(fleet(scale_set()), spec())
    world.run(lambda: len(upgrades(world)) == 1)
    world.merge(of_all(freeze=True))
    world.rest(HOUR)
    assert len(upgrades(world)) == 1
    assert not world.azure.record.unavailable_at("web", world.clock.now())
