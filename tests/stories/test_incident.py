"""An incident: an image that looks healthy breaks the shop. A person stops the fleet, and continues with a fix.

The suite plays 8 scale sets. `make stories` plays 60.
"""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from reconciler.rollout.pause import PAUSE, Pause, pause_text
from reconciler.simulator import Request, Throttled
from tests.invariants import nothing_was_written
from tests.stories.world import FIX, NEW, OLD, SUBSCRIPTION, World, fleet, of_all, scale_set, spec

SETS = int(os.environ.get("INCIDENT_SETS", "8"))
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAMES = [f"web-{number:02}" for number in range(SETS)]
FLEET = of_all(pauseTag={"subscription": SUBSCRIPTION, "resourceGroup": "shop"})


def is_write(request: Request) -> bool:
    return request.method != "GET"


def tag(world: World) -> Pause:
    """Pause by the tag alone, as `reconciler pause --all --pause-tag ID` does."""
    pause = Pause("the shop is down", "ada", world.clock.now())
    world.azure.resource_group(SUBSCRIPTION, "shop").set_tags({PAUSE: pause_text(pause)})
    return pause


def tag_and_tell(world: World) -> None:
    """Pause as `reconciler pause --all` does where a daemon runs."""
    world.reconciler.tell_pause(tag(world))


def tell_while_azure_throttles_writes(world: World) -> None:
    """The tag cannot be written, so only the daemon knows."""
    world.azure.faults.arm("*", Throttled(30 * MINUTE), times=None, when=is_write)
    world.reconciler.tell_pause(Pause("the shop is down", "ada", world.clock.now()))


def tag_while_the_daemon_is_down(world: World) -> None:
    tag(world)
    world.restart()


def tag_while_git_is_down(world: World) -> None:
    tag(world)
    world.source.is_unreachable = True


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(tag_and_tell, id="the daemon is told, and the tag written"),
        pytest.param(tag_while_the_daemon_is_down, id="the daemon is down"),
        pytest.param(tag_while_git_is_down, id="git is down"),
        pytest.param(tell_while_azure_throttles_writes, id="Azure throttles every write"),
    ],
)
def test_a_fleet_stops_at_once_and_continues_with_the_fix(stop: Callable[[World], None]) -> None:
    sets = [scale_set(name, capacity=3) for name in NAMES]
    world = World(fleet(*sets), FLEET, *(spec(name, rollout={"soak": "5m"}) for name in NAMES))
    world.run(lambda: world.has_upgraded(SETS))
    stop(world)
    asked = len(world.requests())
    world.rest(HOUR)
    nothing_was_written(world.azure.record, asked)
    assert {line.partition(":")[0] for line in world.lines().values()} == {"Paused"}
    # Is it safe now? Nothing is unavailable, and each line says what new instances get.
    assert all(
        state.seen.counts and not state.seen.counts.unavailable for state in world.reconciler.store.states()
    )
    half = [name for name in NAMES if set(world.azure.record.images(name).values()) != {urn(OLD)}]
    assert half
    world.azure.faults.disarm()
    world.source.is_unreachable = False
    world.merge(*(spec(name, FIX) for name in NAMES))
    world.rest(HOUR)
    nothing_was_written(world.azure.record, asked)
    world.azure.resource_group(SUBSCRIPTION, "shop").set_tags({PAUSE: None})
    world.reconciler.tell_pause(None)
    world.run()
    images = {image for name in NAMES for image in world.azure.record.images(name).values()}
    assert images == {urn(FIX)}
    assert urn(NEW) not in images


def urn(version: str) -> str:
    return f"Canonical:ubuntu-24_04-lts:server:{version}"
