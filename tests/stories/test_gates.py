"""The gates outside of one scale set over time: what each of them holds, what lets it go on, and what it costs."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.budget import Share
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Signature
from reconciler.simulator import Status
from reconciler.spec.author import Author
from tests.checks.endpoint import Endpoint, serve_endpoint
from tests.messages import says
from tests.stories.fleets import MINUTE, first_write, is_there, on, reason, sets, writes
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, World, fleet, of_all, platform, scale_set, spec
from tests.token import Token

HOUR = timedelta(hours=1)
URN = ":".join(BASE.values())


@pytest.fixture
def place() -> Iterator[Endpoint]:
    with serve_endpoint() as found:
        yield found


@dataclass(frozen=True, slots=True)
class Scene:
    """web, on its way from OLD to NEW; db, which is there; and a place to put checks to."""

    world: World
    place: Endpoint

    def sicken(self) -> None:
        """An instance of db falls sick, and Azure tells of it."""
        self.world.azure.scale_set("db").instance("0").sicken()
        self.world.azure.scale_set("db").bump_etag()

    def heal(self) -> None:
        self.world.azure.scale_set("db").instance("0").heal()

    def answer(self, status: int = 200, samples: str = "") -> None:
        """What the place answers from now on, over HTTP and as Prometheus."""
        self.place.status = status
        body = f'{{"status": "success", "data": {{"resultType": "vector", "result": [{samples}]}}}}'
        self.place.body = body.encode()

    def approve(self, version: str) -> None:
        approved = f"{URN}:{version}" if version else ""
        self.world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": approved})


@dataclass(frozen=True, slots=True)
class Kind:
    """A gate: what the spec of web says for it, how it is closed and opened, and what is said of it."""

    reason: str
    said: str
    close: Callable[[Scene], None]
    open: Callable[[Scene], None]
    spec: dict[str, Any]


SICK = "db is Failing: HealthCheckFailed"
# {place} stands for the address of the place.
SMOKE = {"checks": [{"name": "smoke", "http": {"url": "{place}/ok"}}]}
ERRORS = {"checks": [{"name": "errors", "prometheus": {"server": "{place}", "query": "errors < 5"}}]}
KINDS = {
    "dependsOn": Kind("DependencyNotReady", SICK, Scene.sicken, Scene.heal, {"dependsOn": ["db"]}),
    "wave": Kind(
        "DependencyNotReady",
        f"1 of 1 scale sets of lower waves is not Ready: {SICK}",
        Scene.sicken,
        Scene.heal,
        {"wave": 1},
    ),
    "http": Kind(
        "CheckFailed",
        "check smoke: {place}/ok answers 500, and 200 passes",
        lambda scene: scene.answer(500),
        lambda scene: scene.answer(200),
        {"rollout": SMOKE},
    ),
    "prometheus": Kind(
        "CheckFailed",
        "check errors: {place} gives no sample for errors < 5",
        lambda scene: scene.answer(samples=""),
        lambda scene: scene.answer(samples='{"value": [1, "0"]}'),
        {"rollout": ERRORS},
    ),
    "approval": Kind(
        "AwaitingApproval",
        f"{NEW} needs approval; run `reconciler approve web`",
        lambda scene: scene.approve(""),
        lambda scene: scene.approve(NEW),
        {"rollout": {"approval": "start"}},
    ),
}


def at(place: Endpoint, declared: dict[str, Any]) -> dict[str, Any]:
    """What is declared, with the address of the place where that is meant."""
    found: dict[str, Any] = json.loads(json.dumps(declared).replace("{place}", place.url))
    return found


def staged(kind: Kind, place: Endpoint) -> Scene:
    declared = fleet(scale_set(capacity=5), scale_set("db", capacity=5, image=platform(NEW)))
    return Scene(World(declared, at(place, spec(**kind.spec)), spec("db")), place)


def lived(world: World, minutes: int, *, killed: bool, every: int = 1) -> None:
    """Let so many minutes pass, perhaps with a daemon that is killed again and again."""
    for _ in range(minutes // every):
        world.rest(every * MINUTE)
        if killed:
            world.restart()
    world.rest(MINUTE)


@pytest.mark.parametrize("killed", [False, True], ids=["", "and the daemon killed every minute"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_gate_holds_the_model_and_lets_it_go_on_when_it_opens(
    place: Endpoint, kind: str, *, killed: bool
) -> None:
    gate = KINDS[kind]
    scene = staged(gate, place)
    world = scene.world
    gate.close(scene)
    lived(world, 20, killed=killed)
    assert writes(world, "web") == []
    said = gate.said.replace("{place}", place.url)
    rollout = "the rollout" if NEW in said else f"the rollout to {NEW}"
    assert world.lines()["web"] == f"{gate.reason}: {said}; {rollout} waits"
    gate.open(scene)
    opened = world.clock.now()
    world.run(lambda: bool(writes(world, "web")))
    assert world.clock.now() - opened < 3 * MINUTE
    world.run()
    assert on(world, "web") == {NEW}


@pytest.mark.parametrize("killed", [False, True], ids=["", "and the daemon killed every minute"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_that_closes_between_batches_lets_the_batch_come_back_and_no_other_go(
    place: Endpoint, kind: str, *, killed: bool
) -> None:
    gate = KINDS[kind]
    scene = staged(gate, place)
    world = scene.world
    gate.open(scene)
    world.run(lambda: writes(world, "web").count("VirtualMachineScaleSets_UpdateInstances") == 2)
    gate.close(scene)
    lived(world, 20, killed=killed)
    assert len(writes(world, "web")) == 3
    assert not world.azure.record.unavailable_at("web", world.clock.now())
    said = gate.said.replace("{place}", place.url)
    assert world.lines()["web"] == f"{gate.reason}: {said}; the next batch waits"
    gate.open(scene)
    opened = world.clock.now()
    world.run(lambda: len(writes(world, "web")) > 3)
    assert world.clock.now() - opened < 3 * MINUTE
    world.run()
    assert on(world, "web") == {NEW}


def test_a_check_is_put_only_where_all_before_it_are_open(place: Endpoint) -> None:
    web = at(place, spec(rollout=SMOKE, dependsOn=["db"]))
    world = World(sets("web", "db"), web, spec("db", version=BAD))
    world.rest(40 * MINUTE)
    assert reason(world) == "DependencyNotReady"
    assert place.asked == []


def test_a_sick_scale_set_is_cured_through_every_closed_gate(place: Endpoint) -> None:
    world = World(sets("web", "db"), at(place, spec(version=BAD, rollout=SMOKE)))
    world.run(is_there(world, "HealthCheckFailed"))
    place.status = 500
    fixed = at(place, spec(version=FIX, rollout=SMOKE, dependsOn=["db"]))
    world.merge(fixed, spec("db", suspend=True), of_all(maxChange=1, maxConcurrentRollouts=1))
    world.rest(20 * MINUTE)
    assert writes(world, "web").count("VirtualMachineScaleSets_UpdateInstances") == 2
    assert not world.azure.record.unavailable_at("web", world.clock.now())
    assert reason(world) == "DependencyNotReady"


# Who goes first.


@pytest.mark.parametrize("killed", [False, True], ids=["", "and the daemon killed every five minutes"])
def test_a_bad_image_in_waves_of_dev_staging_and_prod_never_touches_prod(*, killed: bool) -> None:
    names = ["dev", "prod", "staging"]
    waves = {"dev": 0, "staging": 1, "prod": 2}
    world = World(sets(*names), *(spec(name, wave=waves[name]) for name in names)).run()
    began = {name: first_write(world, name) for name in names}
    assert began["dev"] < began["staging"] < began["prod"]
    ended = max(absence.until for absence in world.azure.record.absences("dev") if absence.until)
    assert ended <= began["staging"]

    before = writes(world, "staging") + writes(world, "prod")
    world.merge(*(spec(name, version=BAD, wave=waves[name]) for name in names))
    lived(world, 60, killed=killed, every=5)
    assert writes(world, "staging") + writes(world, "prod") == before
    assert world.lines()["staging"] == says(
        "DependencyNotReady", "1 of 1", "Ready", "Failing", "HealthCheckFailed"
    )
    assert world.lines()["prod"] == says(
        "DependencyNotReady",
        "2 of 2",
        "Ready",
        "Failing",
        "HealthCheckFailed",
        "Waiting",
        "DependencyNotReady",
    )
    world.merge(*(spec(name, version=FIX, wave=waves[name]) for name in names))
    world.run(lambda: all(on(world, name) == {FIX} for name in names))


def test_waves_of_latest_see_a_new_version_one_after_the_other() -> None:
    images = {"platform": [{**BASE, "versions": [OLD]}]}
    latest: dict[str, Any] = {"image": {"platform": {**BASE, "version": "latest"}}}
    declared = fleet(scale_set("dev", capacity=3), scale_set("prod", capacity=3), images=images)
    dev, prod = spec("dev", interval="30m", **latest), spec("prod", interval="5m", wave=1, **latest)
    world = World(declared, dev, prod).run()
    world.azure.publish(f"{URN}:{NEW}", boots="unhealthy")
    world.rest(10 * MINUTE)
    assert reason(world, "dev") == "UpToDate", "it looks for the latest every half hour"
    assert world.lines()["prod"] == says("DependencyNotReady", "1 of 1", "Ready", OLD)
    world.rest(HOUR)
    assert reason(world, "dev") == "HealthCheckFailed"
    assert writes(world, "prod") == []
    world.azure.publish(f"{URN}:{FIX}")
    world.run(lambda: on(world, "prod") == {FIX}, limit=3 * HOUR)


def test_fifty_that_wait_for_one_for_an_hour_cost_the_list_pages_and_little_else() -> None:
    names = [f"web-{number:02}" for number in range(50)]
    declared = fleet(*(scale_set(name, capacity=2) for name in names), scale_set("db", capacity=2), page=20)
    sick = spec("db", version=BAD)
    world = World(declared, sick, *(spec(name, dependsOn=["db"]) for name in names))
    world.rest(59 * MINUTE)
    waits = says("DependencyNotReady", "db", "Failing", "HealthCheckFailed")
    assert all(world.lines()[name] == waits for name in names)
    of_db = "Operations_Get"  # which says nothing of whose it is, and only db has taken a step
    asked = [
        each for each in world.azure.record.requests if "/db" not in each.path and each.operation != of_db
    ]
    pages = 3 * 60
    assert Counter(each.operation for each in asked) - Counter({"VirtualMachineImages_Get": 9}) == {
        "VirtualMachineScaleSets_ListAll": pages,
        "VirtualMachineScaleSetVMs_List": 50,  # each of them once, at the first look
    }

    world.merge(spec("db", version=FIX))
    world.run(lambda: on(world, "db") == {FIX} and reason(world, "db") == "UpToDate")
    ready = world.clock.now()
    world.rest(2 * MINUTE)
    assert [name for name in names if writes(world, name)] == ["web-00"], (
        "one sweep after, their pilot begins"
    )
    assert world.clock.now() - ready < 4 * MINUTE


# A person's word.


def test_a_canary_is_approved_and_nothing_else_with_it() -> None:
    rollout = {"approval": "canary", "canary": {"instances": 1}}
    world = World(fleet(scale_set(capacity=10)), spec(rollout=rollout))
    world.run(is_there(world, "AwaitingApproval"))
    world.rest(30 * MINUTE)
    assert writes(world, "web") == [
        "VirtualMachineScaleSets_Update",
        "VirtualMachineScaleSets_UpdateInstances",
    ]
    world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": f"{URN}:{FIX}"})
    world.rest(10 * MINUTE)
    assert reason(world) == "AwaitingApproval", "another image is approved, and that lets nothing through"
    assert len(writes(world, "web")) == 2
    approve(world)
    world.restart()
    approved = world.clock.now()
    world.run(lambda: len(writes(world, "web")) > 2)
    assert world.clock.now() - approved < 2 * MINUTE
    world.restart()
    world.run()
    assert on(world, "web") == {NEW}
    world.merge(spec(version=FIX, rollout=rollout))
    world.rest(30 * MINUTE)
    assert reason(world) == "AwaitingApproval", "what was approved was the image before"


def test_who_wrote_the_image_does_not_approve_it() -> None:
    ada, bob = Author("Ada", "ada@example.com"), Author("Bob", "bob@example.com")
    rollout = {"approval": "canary", "approver": "another", "canary": {"instances": 1}}
    world = World(fleet(scale_set(capacity=10)), spec(rollout=rollout))
    world.source.authors = (ada,)
    world.run(is_there(world, "AwaitingApproval"))
    approve(world, "ada@example.com")
    world.rest(HOUR)
    assert not world.has_upgraded(2)
    assert (
        ", but Ada <ada@example.com> wrote the commit that declares it; another person"
        in world.lines()["web"]
    )
    world.restart()
    world.rest(HOUR)
    assert not world.has_upgraded(2), "a process that has just begun knows it too"
    approve(world, "bob@example.com")
    world.run(lambda: world.has_upgraded(2))
    world.source.authors = (bob,)
    world.merge(spec("other"))
    world.run(is_there(world, "AwaitingApproval"))
    assert "Bob <bob@example.com> wrote the commit" in world.lines()["web"], "he has touched its lines since"
    approve(world, "ada@example.com")
    world.run(lambda: on(world, "web") == {NEW})


def test_an_approval_under_its_former_name_lasts_for_the_whole_rollout() -> None:
    world = World(fleet(scale_set()), spec(rollout={"approval": "start", "onFailure": "rollback"}))
    world.run(is_there(world, "AwaitingApproval"))
    world.azure.scale_set("web").set_tags({"reconciler-approved": f"{URN}:{NEW}"})
    world.rest(HOUR)
    assert on(world, "web") == {NEW}
    tags = world.azure.scale_set("web").tags
    assert (tags["reconciler-approved"], tags["vmss-reconciler-approved"]) == ("", f"{URN}:{NEW}")


def approve(world: World, by: str = "ada@example.com") -> None:
    """A person's word, as `reconciler approve` writes it."""

    compute = Compute(Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now))
    desired = world.state().desired
    model = compute.model(desired.target, Share.ROLLOUT)
    assert isinstance(model, Model)
    signature = Signature.of(desired.image, by, compute.now())
    compute.approve(desired.target, model, desired.image, signature)


def test_a_dependency_that_falls_sick_unseen_stops_the_next_batch() -> None:
    """Its etag does not move, so no list tells of it, and it would not be looked at for an hour."""
    world = World(
        fleet(scale_set(), scale_set("db", capacity=2, image=platform(NEW))),
        spec(dependsOn=["db"], rollout={"soak": "2m"}),
        spec("db"),
    )
    upgrade = "VirtualMachineScaleSets_UpdateInstances"
    world.run(lambda: upgrade in world.requests())
    world.azure.scale_set("db").instance("0").sicken()
    world.rest(20 * MINUTE)
    assert world.requests().count(upgrade) == 1
    assert world.lines()["web"] == says("DependencyNotReady", SICK)
    world.azure.scale_set("db").instance("0").heal()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "20", NEW)


def test_what_azure_refuses_is_asked_for_ever_less_often_though_a_rollout_depends_on_it() -> None:
    world = World(sets("db", "web"), spec("db", FIX), spec(dependsOn=["db"], rollout={"soak": "3h"}))
    world.run(lambda: reason(world) == "Soaking")
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update", Status(403, "AuthorizationFailed", "No."), times=None
    )
    world.azure.scale_set("db").set_image(f"{URN}:{OLD}")
    before = len(writes(world, "db"))
    world.rest(HOUR)
    assert reason(world, "db") == "Refused"
    assert len(writes(world, "db")) - before <= 9
