"""A fault at every call of a rollout, and several at random. The invariants hold and the rollout ends the same, or it
is stalled if upgrades failed.

`make stories` injects faults at every call of one kind of rollout and tries four seeds of each kind. `make explore` does
so at every call of every kind, with hundreds of seeds. The suite injects them at every fourth call, with one seed.
A case is the same every time, and its message names the faults.
"""

import functools
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from reconciler.daemon.condition import ConditionStatus, ConditionType
from reconciler.rollout.reason import Reason
from reconciler.simulator import (
    Exchange,
    Misdated,
    OperationFails,
    OperationLost,
    Page,
    Partial,
    Request,
    Reset,
    Stale,
    Status,
    Throttled,
    Timeout,
    Truncated,
)
from reconciler.simulator.faults import Fault
from tests.invariants import nothing_was_written
from tests.stories import worlds
from tests.stories.daemon import Daemon
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, scale_set, spec

SEEDS = int(os.environ.get("EXPLORE_SEEDS", "1"))
STRIDE = 1 if SEEDS >= 4 else 4  # between two calls that get the fault
READS = 20 if SEEDS >= 100 else 6  # after the last write, which get the fault too
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONG = 90 * MINUTE
# Short times, so that a rollout takes few calls.
SOON = {"timeout": "2m"}
QUICK = {"model": "5s", "upgrade": "10s", "boot": "5s", "health": "5s"}


def world(capacity: int, *documents: Mapping[str, Any], **declared: Any) -> World:
    return World(fleet(scale_set(capacity=capacity, **declared), timings=QUICK), *documents)


def canary(**rollout: Any) -> dict[str, Any]:
    return {"canary": {"instances": 1}, **rollout}


def with_second_daemon(found: World) -> World:
    found.join(7 * SECOND)
    return found


def with_commit(found: World, version: str, after: int) -> World:
    """Merge another commit after this many calls."""
    found.happens(lambda: found.merge(spec(version=version)), after=after)
    return found


@dataclass(frozen=True)
class Rollout:
    """A kind of rollout. `holds` is how long to wait for one that ends on hold and is never settled."""

    begin: Callable[[], World]
    holds: timedelta | None = None

    def go(self, found: World) -> None:
        """Run the rollout to its end."""
        if self.holds:
            found.rest(self.holds)
        else:
            found.run(lambda: found.is_settled() or is_stalled(found), limit=6 * HOUR)


# Add a row to try another kind of rollout.
ROLLOUTS: dict[str, Rollout] = {
    "a rollout with a canary": Rollout(lambda: world(2, spec(rollout=canary()))),
    "a zonal rollout": Rollout(
        lambda: world(6, spec(rollout={"maxBatch": 2}), zones=["1", "2", "3"], zonalUpdateDomains=False)
    ),
    "a Flexible scale set": Rollout(
        lambda: world(4, spec(rollout={"maxBatch": 1}), orchestration="Flexible", zones=["1", "2"])
    ),
    "batches beside an unhealthy instance": Rollout(
        lambda: world(
            5,
            spec(rollout={"by": "batch", "maxBatch": 2, "maxUnavailable": 2}),
            instanceStates=[{"id": "3", "health": "unhealthy"}],
            protected=["3"],
        )
    ),
    "a rollout to latest": Rollout(lambda: world(2, spec(image={"platform": {**BASE, "version": "latest"}}))),
    "a rollout with a soak": Rollout(lambda: world(3, spec(rollout={"soak": "3m", "onFailure": "rollback"}))),
    "a rollout with two passes and a bake time": Rollout(
        lambda: world(3, spec(rollout={"bakeTime": "4m", "onFailure": "repin"}, health={"passes": 2}))
    ),
    "a repin": Rollout(lambda: world(3, spec(version=BAD, rollout=canary(onFailure="repin"), health=SOON))),
    "a rollback": Rollout(
        lambda: world(5, spec(version=BAD, rollout={"onFailure": "rollback", "maxBatch": 2}, health=SOON))
    ),
    "a failure without a rollback target": Rollout(
        lambda: world(
            5,
            spec(version=BAD, rollout={"onFailure": "repin"}, health=SOON),
            instanceStates=[{"id": "4", "image": f"{':'.join(BASE.values())}:{NEW}"}],
        ),
        holds=20 * MINUTE,
    ),
    "a bad image and its fix": Rollout(lambda: with_commit(world(5, spec(version=BAD)), FIX, after=12)),
    "a rollout that is reverted": Rollout(lambda: with_commit(world(5, spec()), OLD, after=25)),
    "a rollout by two daemons": Rollout(lambda: with_second_daemon(world(3, spec(rollout=canary())))),
    "a rollback by two daemons": Rollout(
        lambda: with_second_daemon(
            world(3, spec(version=BAD, rollout=canary(onFailure="rollback"), health=SOON))
        )
    ),
}


# The kinds that get a fault at each of their calls.
EVERY = list(ROLLOUTS) if SEEDS >= 100 else ["a rollout with a canary"]


@dataclass(frozen=True)
class Strike:
    """A fault: `arm` makes it happen after a number of calls that it `fits`. `lasts` is how long it goes on."""

    arm: Callable[[World, int], None]
    fits: Callable[[Request | Exchange], bool] = lambda _: True
    lasts: timedelta = timedelta()


def is_read(call: Request | Exchange) -> bool:
    return call.method == "GET"


def is_write(call: Request | Exchange) -> bool:
    return call.method != "GET"


def is_list(call: Request | Exchange) -> bool:
    return call.path.lower().endswith(("/virtualmachines", "/virtualmachinescalesets"))


def of(fault: Fault, times: int = 1, fits: Callable[[Request | Exchange], bool] = lambda _: True) -> Strike:
    """A fault in this many calls in a row."""

    def arm(found: World, after: int) -> None:
        found.azure.faults.arm("*", fault, times=times, after=after, when=fits)

    return Strike(arm, fits)


def lasting(fault: Fault, fits: Callable[[Request | Exchange], bool]) -> Strike:
    """A fault in every call for an hour and a half."""

    def begin(found: World) -> None:
        until = found.clock.now() + LONG
        found.azure.faults.arm("*", fault, times=None, when=fits, until=until)

    return Strike(lambda found, after: found.happens(lambda: begin(found), after=after), lasts=LONG)


def set_by(span: timedelta) -> Strike:
    """A clock that is wrong by `span` from then on."""
    return Strike(lambda found, after: found.jump(span, after=after))


MISMATCH = Status(412, "PreconditionFailed", "Etag provided in if-match header does not match.")
CONFLICT = Status(409, "Conflict", "The request failed due to conflict with a concurrent request.")
BROKEN = Status(500, "InternalServerError", "Oops.")
BUSY = Status(503, "ServerTimeout", "The request timed out. Please try again.")

FAILS = OperationFails("VMExtensionProvisioningError", "No.")

STRIKES: dict[str, Strike] = {
    "one 429 for 90 seconds": of(Throttled(90 * SECOND)),
    "one 429 for 20 minutes": of(Throttled(20 * MINUTE)),
    "one 500": of(BROKEN),
    "25 answers of 503": of(BUSY, 25),
    "one HTML page": of(Page()),
    "one timeout": of(Timeout()),
    "one timeout after the call is carried out": of(Timeout(lost_answer=True)),
    "one connection reset": of(Reset()),
    "three resets after the call is carried out": of(Reset(lost_answer=True), 3),
    "two truncated answers": of(Truncated(), 2),
    "one 412": of(MISMATCH),
    "25 answers of 412": of(MISMATCH, 25),
    "one 409": of(CONFLICT),
    "25 answers of 409": of(CONFLICT, 25),
    "one read that is 20 seconds old": of(Stale(20 * SECOND), 1, is_read),
    "20 reads that are a minute old": of(Stale(MINUTE), 20, is_read),
    "50 reads that are four minutes old": of(Stale(4 * MINUTE), 50, is_read),
    "one list without its first row": of(Partial(1), 1, is_list),
    "five lists without any row": of(Partial(1000), 5, is_list),
    "one operation that fails": of(FAILS, 1, is_write),
    "three operations that fail": of(FAILS, 3, is_write),
    "one operation that is lost": of(OperationLost(), 1, is_write),
    "a clock set forward by an hour": set_by(HOUR),
    "a clock set back by an hour": set_by(-HOUR),
    "a clock twelve minutes ahead": set_by(12 * MINUTE),
    "a clock twelve minutes behind": set_by(-12 * MINUTE),
    "three answers dated a day ahead": of(Misdated(DAY), 3),
    "three answers dated a day behind": of(Misdated(-DAY), 3),
    "the daemon is killed": Strike(lambda found, after: found.happens(found.restart, after=after)),
}

# Faults that last.
LASTING: dict[str, Strike] = {name: lasting(*fault) for name, fault in worlds.LASTING.items()}
ALL = STRIKES | LASTING

End = tuple[str, dict[str, str], dict[str, str]]


def end_of(found: World) -> End:
    """The image of the model, those of the instances, and the lines without their notes, which may be from an old list."""
    versions = {id_: image.rpartition(":")[2] for id_, image in found.azure.record.images("web").items()}
    lines = {name: line.partition(";")[0] for name, line in found.lines().items()}
    return found.azure.scale_set("web").image.rpartition(":")[2], versions, lines


def is_stalled(found: World) -> bool:
    """Whether its deadline passed without evidence, which only failed or lost upgrades may cause. It then stays on
    hold, and says since when."""
    failed = (isinstance(call.fault, OperationFails | OperationLost) for call in found.azure.record.requests)
    return any(failed) and all(map(reports_stalled, found.daemons))


def reports_stalled(daemon: Daemon) -> bool:
    found = [each for state in daemon.reconciler.store.states() for each in state.published.conditions]
    ready = next((each for each in found if each.type is ConditionType.READY), None)
    if ready is None or ready.since is None or ready.reason != Reason.PROGRESS_DEADLINE_EXCEEDED:
        return False
    assert ready.status is ConditionStatus.FALSE
    assert "progressDeadline" in ready.message
    return True


def settle(rollout: Rollout, found: World) -> World:
    """Run a rollout to its end during the faults, end them, and check that it stays there.

    Its last observation may have been stale. It observes once more five minutes after its last step, and retries
    what Azure refused ten minutes after its last try.
    """
    rollout.go(found)
    found.calm()
    rollout.go(found.rest(12 * MINUTE))
    asked = len(found.requests())
    found.rest(10 * MINUTE)
    nothing_was_written(found.azure.record, asked)
    return found


@functools.cache
def undisturbed(name: str) -> tuple[End, tuple[Exchange, ...]]:
    """The end of a rollout without faults, and its calls up to a few reads after its last write."""
    found = ROLLOUTS[name].begin()
    ROLLOUTS[name].go(found)
    calls = found.azure.record.requests
    last = max(number for number, call in enumerate(calls) if is_write(call))
    return end_of(settle(ROLLOUTS[name], found)), calls[: last + READS]


def explore(name: str, *strikes: tuple[str, int]) -> None:
    """Play a rollout with these faults, each after a number of calls, and check its end."""
    end, _ = undisturbed(name)
    found = ROLLOUTS[name].begin()
    for strike, after in strikes:
        ALL[strike].arm(found, after)
    try:
        if lasts := max(ALL[strike].lasts for strike, _ in strikes):
            found.rest(lasts + 10 * MINUTE)
        settle(ROLLOUTS[name], found)
        if end_of(found) != end:
            # A process that started while reads were stale notices it at the next observation, within the interval.
            # A stalled rollout stays stalled, although its last try would be due again after 40 minutes.
            settle(ROLLOUTS[name], found.rest(HOUR))
        found.judge()
        # Two failed upgrades of an instance in a row are evidence, so an image may be given up for three.
        may_fail = any(strike == "three operations that fail" for strike, _ in strikes)
        has_failed = may_fail and found.reasons()[-1] == Reason.ROLLOUT_FAILED
        assert end_of(found) == end or is_stalled(found) or has_failed, (
            f"it ends with {end_of(found)}, and without faults with {end}"
        )
    except AssertionError as error:
        faults = "; ".join(f"{strike} after {after} calls" for strike, after in strikes)
        raise AssertionError(f"{name}: {faults}: {error}") from error


def count_calls(name: str, strike: str) -> int:
    """The number of calls of a rollout that the fault fits."""
    return sum(map(ALL[strike].fits, undisturbed(name)[1]))


@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.timeout(3600)
def test_a_fault_at_any_call_leaves_the_end_of_a_rollout_unchanged(name: str, strike: str) -> None:
    for call in range(0, count_calls(name, strike), STRIDE):
        explore(name, (strike, call))


@pytest.mark.parametrize("strike", LASTING)
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.timeout(3600)
def test_a_fault_of_90_minutes_leaves_the_end_of_a_rollout_unchanged(name: str, strike: str) -> None:
    calls = count_calls(name, strike)
    for call in range(calls // 3, calls, 1 if SEEDS >= 100 else calls):
        explore(name, (strike, call))


def test_upgrades_that_fail_until_the_deadline_stall_the_rollout_without_evidence() -> None:
    """There is no evidence, so the rollout is stalled and the image has not failed."""
    explore(
        "a repin", ("a page of HTML", 0), ("one operation that is lost", 2), ("three operations that fail", 1)
    )


@pytest.mark.parametrize("seed", range(SEEDS), ids="seed {}".format)
@pytest.mark.parametrize("name", ROLLOUTS)
def test_random_faults_leave_the_end_of_a_rollout_unchanged(name: str, seed: int) -> None:
    chance = random.Random(f"{name} {seed}")  # noqa: S311 - the same case every time
    chosen = chance.sample(sorted(ALL), chance.randint(2, 4))
    explore(name, *((strike, chance.randrange(count_calls(name, strike) * 3 // 2)) for strike in chosen))
