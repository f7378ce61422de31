"""The gates outside of one scale set over time: what each of them blocks, what opens it, and what it costs."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from reconciler.azure.budget import Priority
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
    """web, which rolls from OLD to NEW; db, which runs NEW; and a server for checks."""

    world: World
    place: Endpoint

    def sicken(self) -> None:
        """Make an instance of db unhealthy, and move the etag so that the list shows it."""
        self.world.azure.scale_set("db").instance("0").sicken()
        self.world.azure.scale_set("db").bump_etag()

    def heal(self) -> None:
        self.world.azure.scale_set("db").instance("0").heal()

    def answer(self, status: int = 200, samples: str = "") -> None:
        """Set the answer of the server, for HTTP and for Prometheus."""
        self.place.status = status
        body = f'{{"status": "success", "data": {{"resultType": "vector", "result": [{samples}]}}}}'
        self.place.body = body.encode()

    def approve(self, version: str) -> None:
        approved = f"{URN}:{version}" if version else ""
        self.world.azure.scale_set("web").set_tags({"vmss-reconciler-approved": approved})


@dataclass(frozen=True, slots=True)
class Kind:
    """A gate: its fields in the spec of web, how it closes and opens, and its message."""

    reason: str
    message: str
    close: Callable[[Scene], None]
    open: Callable[[Scene], None]
    spec: dict[str, Any]


FAILING = "db is Failing (HealthCheckFailed)"
# {place} stands for the address of the server.
SMOKE = {"checks": [{"name": "smoke", "http": {"url": "{place}/ok"}}]}
ERRORS = {"checks": [{"name": "errors", "prometheus": {"server": "{place}", "query": "errors < 5"}}]}
KINDS = {
    "dependsOn": Kind(
        "DependencyNotReady", f"scale set {FAILING}", Scene.sicken, Scene.heal, {"dependsOn": ["db"]}
    ),
    "wave": Kind(
        "DependencyNotReady",
        f"earlier waves are not Ready: {FAILING}",
        Scene.sicken,
        Scene.heal,
        {"wave": 1},
    ),
    "an HTTP check": Kind(
        "CheckFailed",
        "check smoke ({place}/ok) returned 500, expected 200",
        lambda scene: scene.answer(500),
        lambda scene: scene.answer(200),
        {"rollout": SMOKE},
    ),
    "a Prometheus check": Kind(
        "CheckFailed",
        "check errors ({place}) returned no sample for errors < 5",
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
    """The declared document, with the address of the server instead of {place}."""
    found: dict[str, Any] = json.loads(json.dumps(declared).replace("{place}", place.url))
    return found


def scene_of(kind: Kind, place: Endpoint) -> Scene:
    declared = fleet(scale_set(capacity=5), scale_set("db", capacity=5, image=platform(NEW)))
    return Scene(World(declared, at(place, spec(**kind.spec)), spec("db")), place)


def live(world: World, minutes: int, *, killed: bool, every: int = 1) -> None:
    """Let this many minutes pass. If `killed`, kill the daemon every `every` minutes."""
    for _ in range(minutes // every):
        world.rest(every * MINUTE)
        if killed:
            world.restart()
    world.rest(MINUTE)


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed every minute"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_gate_blocks_the_change_of_the_model_until_it_opens(
    place: Endpoint, kind: str, *, killed: bool
) -> None:
    gate = KINDS[kind]
    scene = scene_of(gate, place)
    world = scene.world
    gate.close(scene)
    live(world, 20, killed=killed)
    assert writes(world, "web") == []
    said = gate.message.replace("{place}", place.url)
    rollout = "the rollout" if NEW in said else f"the rollout to {NEW}"
    assert world.lines()["web"] == f"{gate.reason}: {rollout} is waiting because {said}"
    gate.open(scene)
    opened = world.clock.now()
    world.run(lambda: bool(writes(world, "web")))
    assert world.clock.now() - opened < 3 * MINUTE
    world.run()
    assert on(world, "web") == {NEW}


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed every minute"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_that_closes_between_batches_blocks_the_next_batch_until_it_opens(
    place: Endpoint, kind: str, *, killed: bool
) -> None:
    gate = KINDS[kind]
    scene = scene_of(gate, place)
    world = scene.world
    gate.open(scene)
    world.run(lambda: writes(world, "web").count("VirtualMachineScaleSets_UpdateInstances") == 2)
    gate.close(scene)
    live(world, 20, killed=killed)
    assert len(writes(world, "web")) == 3
    assert not world.azure.record.unavailable_at("web", world.clock.now())
    said = gate.message.replace("{place}", place.url)
    assert world.lines()["web"] == f"{gate.reason}: the next batch is waiting because {said}"
    gate.open(scene)
    opened = world.clock.now()
    world.run(lambda: len(writes(world, "web")) > 3)
    assert world.clock.now() - opened < 3 * MINUTE
    world.run()
    assert on(world, "web") == {NEW}


def test_a_check_is_sent_only_if_the_gates_before_it_are_open(place: Endpoint) -> None:
    web = at(place, spec(rollout=SMOKE, dependsOn=["db"]))
    world = World(sets("web", "db"), web, spec("db", version=BAD))
    world.rest(40 * MINUTE)
    assert reason(world) == "DependencyNotReady"
    assert place.asked == []


def test_remediation_with_a_fix_passes_every_closed_gate(place: Endpoint) -> None:
    world = World(sets("web", "db"), at(place, spec(version=BAD, rollout=SMOKE)))
    world.run(is_there(world, "HealthCheckFailed"))
    place.status = 500
    fixed = at(place, spec(version=FIX, rollout=SMOKE, dependsOn=["db"]))
    world.merge(fixed, spec("db", suspend=True), of_all(maxChange=1, maxConcurrentRollouts=1))
    world.rest(20 * MINUTE)
    assert writes(world, "web").count("VirtualMachineScaleSets_UpdateInstances") == 2
    assert not world.azure.record.unavailable_at("web", world.clock.now())
    assert reason(world) == "DependencyNotReady"


# Order of scale sets.


@pytest.mark.parametrize(
    "killed", [False, True], ids=["the daemon runs throughout", "the daemon is killed every five minutes"]
)
def test_a_bad_image_that_fails_in_dev_never_reaches_staging_or_prod(*, killed: bool) -> None:
    names = ["dev", "prod", "staging"]
    waves = {"dev": 0, "staging": 1, "prod": 2}
    world = World(sets(*names), *(spec(name, wave=waves[name]) for name in names)).run()
    began = {name: first_write(world, name) for name in names}
    assert began["dev"] < began["staging"] < began["prod"]
    ended = max(absence.until for absence in world.azure.record.absences("dev") if absence.until)
    assert ended <= began["staging"]

    before = writes(world, "staging") + writes(world, "prod")
    world.merge(*(spec(name, version=BAD, wave=waves[name]) for name in names))
    live(world, 60, killed=killed, every=5)
    assert writes(world, "staging") + writes(world, "prod") == before
    assert world.lines()["staging"] == says(
        "DependencyNotReady", "earlier waves", "Ready", "Failing", "HealthCheckFailed"
    )
    assert world.lines()["prod"] == says(
        "DependencyNotReady",
        "earlier waves",
        "Ready",
        "Failing",
        "HealthCheckFailed",
        "Waiting",
        "DependencyNotReady",
    )
    world.merge(*(spec(name, version=FIX, wave=waves[name]) for name in names))
    world.run(lambda: all(on(world, name) == {FIX} for name in names))


def test_waves_of_latest_take_a_new_version_one_after_the_other() -> None:
    images = {"platform": [{**BASE, "versions": [OLD]}]}
    latest: dict[str, Any] = {"image": {"platform": {**BASE, "version": "latest"}}}
    declared = fleet(scale_set("dev", capacity=3), scale_set("prod", capacity=3), images=images)
    dev, prod = spec("dev", interval="30m", **latest), spec("prod", interval="5m", wave=1, **latest)
    world = World(declared, dev, prod).run()
    world.azure.publish(f"{URN}:{NEW}", boots="unhealthy")
    world.rest(10 * MINUTE)
    assert reason(world, "dev") == "UpToDate", "it resolves latest every half hour"
    assert world.lines()["prod"] == says("DependencyNotReady", "earlier waves", "Ready", OLD)
    world.rest(HOUR)
    assert reason(world, "dev") == "HealthCheckFailed"
    assert writes(world, "prod") == []
    world.azure.publish(f"{URN}:{FIX}")
    world.run(lambda: on(world, "prod") == {FIX}, limit=3 * HOUR)


def test_fifty_scale_sets_that_wait_for_a_dependency_cost_little_more_than_the_list_pages() -> None:
    names = [f"web-{number:02}" for number in range(50)]
    declared = fleet(*(scale_set(name, capacity=2) for name in names), scale_set("db", capacity=2), page=20)
    failing = spec("db", version=BAD)
    world = World(declared, failing, *(spec(name, dependsOn=["db"]) for name in names))
    world.rest(59 * MINUTE)
    waits = says("DependencyNotReady", "db", "Failing", "HealthCheckFailed")
    assert all(world.lines()[name] == waits for name in names)
    of_db = "Operations_Get"  # its path names no scale set, and only db has made a write
    asked = [
        each for each in world.azure.record.requests if "/db" not in each.path and each.operation != of_db
    ]
    pages = 3 * 60
    assert Counter(each.operation for each in asked) - Counter({"VirtualMachineImages_Get": 9}) == {
        "VirtualMachineScaleSets_ListAll": pages,
        "VirtualMachineScaleSetVMs_List": 50,  # each of them once, at its first observation
    }

    world.merge(spec("db", version=FIX))
    world.run(lambda: on(world, "db") == {FIX} and reason(world, "db") == "UpToDate")
    ready = world.clock.now()
    world.rest(2 * MINUTE)
    assert [name for name in names if writes(world, name)] == ["web-00"], "their pilot begins one sweep later"
    assert world.clock.now() - ready < 4 * MINUTE


# Approval.


def test_an_approval_after_the_canary_is_for_its_image_alone() -> None:
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
    assert reason(world) == "AwaitingApproval", "the approval of another image opens nothing"
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
    assert reason(world) == "AwaitingApproval", "only the image before was approved"


def test_an_image_without_approval_stays_on_its_canary_when_the_model_changes_otherwise() -> None:
    """The canary lacks the new extension, so it is outdated again. No other instance gets the image."""
    rollout = {"approval": "canary", "canary": {"instances": 1}, "converge": "model"}
    found = scale_set(capacity=10, instanceStates=[{"id": "7", "health": "unhealthy"}])
    world = World(fleet(found), spec(rollout=rollout))
    world.run(is_there(world, "AwaitingApproval"))
    web = world.azure.scale_set("web")
    web.add_extension("agent", "Contoso", "Agent")
    web.instance("2").sicken()
    world.rest(HOUR)
    assert reason(world) == "AwaitingApproval"
    assert [id_ for id_, image in world.azure.record.images("web").items() if image.endswith(NEW)] == ["7"]
    approve(world)
    world.run()
    assert on(world, "web") == {NEW}


def test_the_author_of_an_image_cannot_approve_it() -> None:
    ada, bob = Author("Ada", "ada@example.com"), Author("Bob", "bob@example.com")
    rollout = {"approval": "canary", "approver": "another", "canary": {"instances": 1}}
    world = World(fleet(scale_set(capacity=10)), spec(rollout=rollout))
    world.source.authors = (ada,)
    world.run(is_there(world, "AwaitingApproval"))
    approve(world, "ada@example.com")
    world.rest(HOUR)
    assert not world.has_upgraded(2)
    assert "Ada <ada@example.com>" in world.lines()["web"]
    world.restart()
    world.rest(HOUR)
    assert not world.has_upgraded(2), "a new process knows it too"
    approve(world, "bob@example.com")
    world.run(lambda: world.has_upgraded(2))
    world.source.authors = (bob,)
    world.merge(spec("other"))
    world.run(is_there(world, "AwaitingApproval"))
    assert world.lines()["web"] == says("AwaitingApproval", "Bob <bob@example.com>"), "Bob changed its lines"
    approve(world, "ada@example.com")
    world.run(lambda: on(world, "web") == {NEW})


def test_an_approval_under_the_former_tag_name_lasts_for_the_whole_rollout() -> None:
    world = World(fleet(scale_set()), spec(rollout={"approval": "start", "onFailure": "rollback"}))
    world.run(is_there(world, "AwaitingApproval"))
    world.azure.scale_set("web").set_tags({"reconciler-approved": f"{URN}:{NEW}"})
    world.rest(HOUR)
    assert on(world, "web") == {NEW}
    tags = world.azure.scale_set("web").tags
    assert (tags["reconciler-approved"], tags["vmss-reconciler-approved"]) == ("", f"{URN}:{NEW}")


def approve(world: World, by: str = "ada@example.com") -> None:
    """Approve the image as `reconciler approve` does."""

    compute = Compute(Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now))
    desired = world.state().desired
    model = compute.model(desired.target, Priority.ROLLOUT)
    assert isinstance(model, Model)
    signature = Signature.of(desired.image, by, compute.now())
    compute.approve(desired.target, model, desired.image, signature)


def test_a_dependency_that_becomes_unhealthy_without_a_new_etag_blocks_the_next_batch() -> None:
    """Its etag does not move, so no list shows it, and it would not be observed for an hour."""
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
    assert world.lines()["web"] == says("DependencyNotReady", FAILING)
    world.azure.scale_set("db").instance("0").heal()
    world.run()
    assert world.lines()["web"] == says("UpToDate", "20", NEW)


def test_refused_writes_of_a_dependency_are_retried_less_and_less_often() -> None:
    world = World(sets("db", "web"), spec("db", FIX), spec(dependsOn=["db"], rollout={"soak": "3h"}))
    world.run(lambda: reason(world) == "Soaking")
    world.azure.faults.arm(
        "VirtualMachineScaleSets_Update",
        Status(403, "AuthorizationFailed", "The client does not have authorization to perform action."),
        times=None,
    )
    world.azure.scale_set("db").set_image(f"{URN}:{OLD}")
    before = len(writes(world, "db"))
    world.rest(HOUR)
    assert reason(world, "db") == "Refused"
    assert len(writes(world, "db")) - before <= 9
