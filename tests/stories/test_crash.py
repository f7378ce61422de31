"""A daemon is killed at any of its writes, or two daemons run at once: a rollout ends the same."""

import functools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from reconciler.azure.compute import Compute
from reconciler.rollout.step import Step
from reconciler.simulator import Reset
from reconciler.simulator.faults import Stale
from reconciler.spec.scale_set import Target
from tests.messages import says
from tests.stories.world import BAD, NEW, OLD, World, fleet, scale_set, spec

HOUR = timedelta(hours=1)


class Killed(BaseException):
    """The process is killed. None of our code catches this."""


class Mortal(Compute):
    """A client that kills the process just before or just after one of its writes."""

    write: ClassVar[int] = -1
    before: ClassVar[bool] = True
    written: ClassVar[int] = 0

    def take(self, target: Target, step: Step, *, term: int | None = None) -> str:
        number, Mortal.written = Mortal.written, Mortal.written + 1
        if number == self.write and self.before:
            raise Killed
        operation = super().take(target, step, term=term)
        if number == self.write:
            raise Killed
        return operation


ROLLOUTS: dict[str, tuple[dict[str, Any], Any]] = {
    "a good rollout": (spec(rollout={"canary": {"instances": 1}}), says("UpToDate", "10", NEW)),
    "a repin": (
        spec(version=BAD, rollout={"onFailure": "repin", "canary": {"instances": 1}}),
        says("RolloutFailed", BAD),
    ),
    "a rollback": (
        spec(version=BAD, rollout={"onFailure": "rollback"}),
        says("RolloutFailed", BAD),
    ),
}
WRITES = {"a good rollout": 7, "a repin": 4, "a rollback": 4}


def cases() -> Iterator[Any]:
    for name, writes in WRITES.items():
        for write in range(writes):
            yield pytest.param(name, write, "before", id=f"{name}: the daemon is killed before write {write}")
            yield pytest.param(name, write, "after", id=f"{name}: the daemon is killed after write {write}")
            yield pytest.param(name, write, "lost", id=f"{name}: the answer to write {write} is lost")


def world_of(name: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(Mortal, "written", 0)
    monkeypatch.setattr(Mortal, "write", -1)
    return World(fleet(scale_set(capacity=10)), ROLLOUTS[name][0], compute=Mortal)


End = tuple[str, dict[str, str]]


def end_of(world: World) -> End:
    """The image of the model, and the images of the instances."""
    return world.azure.scale_set("web").image, dict(world.azure.record.images("web"))


@functools.cache
def undisturbed(name: str) -> tuple[End, list[str]]:
    """The end of a rollout without interruption, and its writes."""
    world = World(fleet(scale_set(capacity=10)), ROLLOUTS[name][0])
    world.rest(HOUR)
    return end_of(world), [each.operation for each in world.azure.record.requests if each.method != "GET"]


def live(world: World, span: timedelta) -> None:
    """Let the daemon work for `span`. When it is killed, start another one."""
    end = world.clock.now() + span
    while world.clock.now() < end:
        try:
            world.step()
        except Killed:
            world.restart()


@pytest.mark.parametrize("name", ROLLOUTS)
def test_every_write_of_a_rollout_is_interrupted_by_a_case(name: str) -> None:
    assert len(undisturbed(name)[1]) == WRITES[name]


@pytest.mark.parametrize(("name", "write", "moment"), list(cases()))
def test_a_rollout_ends_the_same_if_a_write_is_interrupted(
    name: str, write: int, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, writes = undisturbed(name)
    world = world_of(name, monkeypatch)
    monkeypatch.setattr(Mortal, "write", write)
    monkeypatch.setattr(Mortal, "before", moment == "before")
    if moment == "lost":
        operation = writes[write]
        world.azure.faults.arm(operation, Reset(lost_answer=True), after=writes[:write].count(operation))
    live(world, HOUR)
    assert Mortal.written > write, "that write was never made"
    assert end_of(world) == end
    assert world.lines()["web"] == ROLLOUTS[name][1]


@pytest.mark.parametrize("name", ROLLOUTS)
@pytest.mark.parametrize("lag", [0, 20, 90], ids="lists {} s behind".format)
@pytest.mark.parametrize("apart", [0, 7], ids="daemons {} s apart".format)
def test_two_daemons_at_once_end_a_rollout_as_one_does(name: str, lag: int, apart: int) -> None:
    world = World(fleet(scale_set(capacity=10)), ROLLOUTS[name][0])
    world.join(timedelta(seconds=apart))
    if lag:
        world.azure.faults.arm("VirtualMachineScaleSetVMs_List", Stale(timedelta(seconds=lag)), times=None)
    world.rest(2 * HOUR)
    assert world.lines()["web"] == ROLLOUTS[name][1]
    versions = {image.rpartition(":")[2] for image in world.azure.record.images("web").values()}
    assert versions == {NEW if name == "a good rollout" else OLD}
