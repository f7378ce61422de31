"""An urgent image: a pilot first, and then everywhere despite windows, waves, bake times and maxChange."""

from datetime import timedelta
from typing import Any

import pytest

from tests.messages import says
from tests.stories.world import BAD, NEW, World, fleet, of_all, platform, scale_set, spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SATURDAY = {"kind": "allow", "schedule": "0 3 * * SAT", "duration": "4h", "timeZone": "UTC"}
NAMES = ["dev-a", "dev-b", "prod-a", "prod-b", "prod-c"]


def world_of(version: str, lasts: timedelta = 12 * HOUR, **fields: Any) -> World:
    """Two waves with a window on Saturday, a soak of an hour and a bake time of a day. maxChange is one scale set."""
    rollout = {"windows": [SATURDAY], "canary": {"instances": 1, "soak": "1h"}, "bakeTime": "24h"}
    world = World(fleet(*(scale_set(name, capacity=2) for name in NAMES)))
    urgent = {
        "image": platform(fields.pop("image", version)),
        "reason": "CVE-2026-1 is being exploited",
        "by": "ada@example.com",
        "until": (world.clock.now() + lasts).isoformat(timespec="seconds"),
    }
    world.merge(
        of_all(maxChange=1, urgent=urgent, **fields),
        *(spec(name, version, wave=int(name > "e"), rollout=rollout) for name in NAMES),
    )
    return world


def begun(world: World, version: str) -> list[str]:
    return [name for name in NAMES if world.azure.scale_set(name).image.endswith(version)]


def test_an_urgent_image_is_rolled_out_everywhere_despite_windows_and_waves() -> None:
    world = world_of(NEW)
    world.run(lambda: bool(begun(world, NEW)))
    assert begun(world, NEW) == ["dev-a"], "the pilot"
    since = world.clock.now()
    world.run(lambda: len(begun(world, NEW)) > 1)
    assert timedelta(minutes=10) < world.clock.now() - since < timedelta(minutes=15)
    world.rest(HOUR)
    assert begun(world, NEW) == NAMES
    assert set(world.lines()) == set(NAMES)
    assert all(line.startswith("UpToDate") for line in world.lines().values()), world.lines()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"image": BAD}, "TooMuchChange", id="another image is urgent"),
        pytest.param({"lasts": timedelta()}, "TooMuchChange", id="the urgency has ended"),
        pytest.param({"freeze": True}, "Frozen", id="the fleet is frozen"),
    ],
)
def test_an_image_is_begun_nowhere_without_urgency_or_under_a_freeze(
    fields: dict[str, Any], reason: str
) -> None:
    world = world_of(NEW, **fields)
    world.rest(HOUR)
    assert begun(world, NEW) == []
    assert {line.partition(":")[0] for line in world.lines().values()} <= {reason, "OutsideWindow"}


def test_a_bad_urgent_image_goes_no_further_than_its_pilot() -> None:
    world = world_of(BAD)
    world.rest(2 * HOUR)
    assert begun(world, BAD) == ["dev-a"]


def test_rollouts_wait_for_their_windows_again_once_the_urgency_has_ended() -> None:
    world = world_of(NEW, lasts=20 * MINUTE)
    world.rest(2 * HOUR)
    assert begun(world, NEW) == ["dev-a", "dev-b"]
    lines = world.lines()
    assert lines["dev-a"] == says("UpToDate")
    assert lines["dev-b"] == says(
        "OutsideWindow", "2026-01-10 03:00 UTC", "spec.urgent", "2026-01-05 09:20 UTC"
    )
    assert {lines[name].partition(":")[0] for name in NAMES[2:]} == {"TooMuchChange"}
