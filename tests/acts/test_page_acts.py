"""What the daemon does for a person, by its own session: only while it leads, and only with its rights."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from reconciler.acts.page_acts import PageActs
from reconciler.acts.result import ActResult
from reconciler.azure.session import Session
from reconciler.daemon.commands import LoopCommands
from reconciler.daemon.leadership import Leader
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.pause import Pause, pause_in
from reconciler.rollout.tags import persisted_state
from reconciler.simulator import Status, Throttled
from reconciler.spec.author import Author
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet
from reconciler.web.page.action import Action
from reconciler.web.page.confirmation import confirmation_of_fleet, confirmation_of_scale_set
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, SUBSCRIPTION, World, fleet, of_all, scale_set, spec
from tests.token import Token

BOB = Pause("do not touch", "bob")
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
TAG_WRITE = "Tags_UpdateAtScope"
TAG = {"subscription": SUBSCRIPTION, "resourceGroup": "shop"}
DENIED = Status(
    403,
    "AuthorizationFailed",
    "The client does not have authorization to perform action 'Microsoft.Resources/tags/write'.",
)


@dataclass
class Lead:
    """A replica that leads, or is on standby, or whose lead may end before Azure answers."""

    term: int = 1
    is_permitted: bool = True
    is_shared: ClassVar[bool] = True
    write_timeout: ClassVar[timedelta | None] = timedelta(seconds=12)
    lease_age: ClassVar[timedelta | None] = timedelta(seconds=3)
    leader: ClassVar[Leader | None] = Leader("replica-1")

    def permits_write(self, _timeout: timedelta, term: int | None) -> bool:
        return self.is_permitted and term == self.term


class NoHistory:
    """Specs without a history of commits."""

    def authors(self, _desired: ScaleSet, _commit: str) -> tuple[Author, ...]:
        return ()

    def was_declared(self, _desired: ScaleSet, _image: Image, _commit: str) -> bool:
        return False


class Story:
    """A daemon that has observed its fleet of two scale sets, and what it does for a person."""

    def __init__(
        self, *documents: dict[str, object], lead: Lead | None = None, version: str = NEW, **rollout: object
    ) -> None:
        names = ("api", "web")
        described = fleet(*(scale_set(name, capacity=5) for name in names), permissions={"actions": ["*"]})
        described["images"]["platform"] = [{**BASE, "versions": [OLD, NEW, BAD]}]
        specs = [spec(name, version, rollout=rollout or {"approval": "start"}) for name in names]
        self.world = World(described, *documents, *specs)
        self.world.rest(timedelta(minutes=3))
        daemon = self.world.daemons[0]
        session = Session(
            credential=Token(), transport=self.world.azure.transport(), now=self.world.clock.now
        )
        if lead:
            session.fence(lead)
            daemon.reconciler.store.leadership = lead
        self.waited: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.acts = PageActs(
            daemon.reconciler.store,
            LoopCommands(daemon.reconciler),
            session,
            NoHistory(),
            self._wait,
        )

    def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.meanwhile()
        self.world.clock.advance(timedelta(seconds=seconds))

    @property
    def web(self) -> ScaleSetState:
        return self.world.state("web")

    @property
    def pause(self) -> Pause:
        return Pause("checkout is down", "ada", self.world.clock.now().replace(microsecond=0))

    def paused(self) -> dict[str, str]:
        """Who has paused which scale set, and "" the fleet."""
        found = {name: pause_in(self.world.azure.scale_set(name).tags) for name in ("api", "web")}
        found[""] = pause_in(self.world.azure.cloud.group(SUBSCRIPTION, "shop").tags)
        return {name: each.by for name, each in found.items() if each}

    def writes(self) -> int:
        return sum(each.method != "GET" for each in self.world.azure.record.requests)


def all_of(story: Story) -> list[ActResult]:
    """Every act that writes."""
    acts = story.acts
    return [
        acts.pause(story.web, story.pause),
        acts.resume(story.web, (Pause(by="bob", at=BEGIN),)),
        acts.approve(story.web, story.web.exact, "ada"),
        acts.retry(story.web, story.web.exact),
        acts.resume(None, ()),
    ]


def test_a_fleet_is_paused_by_the_tag_of_its_resource_group() -> None:
    story = Story(of_all(pauseTag=TAG))
    result = story.acts.pause(None, story.pause)
    assert result == ActResult(
        ("this daemon starts no further writes", "the fleet (resource group shop): paused by ada")
    )
    assert story.paused() == {"": "ada"}
    assert story.acts.resume(None, (story.pause,)).outcome == "done"
    assert story.paused() == {}


def test_a_fleet_without_a_pause_tag_is_paused_by_each_scale_set() -> None:
    story = Story()
    assert story.acts.pause(None, story.pause).done[1:] == ("api: paused by ada", "web: paused by ada")
    assert story.paused() == {"api": "ada", "web": "ada"}


def test_without_the_right_the_daemon_stops_and_says_what_is_missing() -> None:
    story = Story(of_all(pauseTag=TAG))
    story.world.azure.faults.arm(TAG_WRITE, DENIED, times=None)
    result = story.acts.pause(None, story.pause)
    assert result.outcome == "partial"
    assert result.done == ("this daemon starts no further writes",)
    assert "Microsoft.Resources/tags/write" in result.failed[0]
    assert result.failed[1] == "until every tag is written, the daemon forgets the pause when it restarts"
    asked = story.writes()
    story.world.rest(timedelta(hours=1))
    assert story.writes() == asked
    assert story.world.lines()["web"].startswith("Paused: ")


def test_what_is_refused_for_one_scale_set_is_done_for_the_other() -> None:
    story = Story()
    story.world.azure.faults.arm(TAG_WRITE, DENIED, times=1)
    result = story.acts.pause(None, story.pause)
    assert [each.partition(":")[0] for each in (*result.failed[:1], *result.done[1:])] == ["api", "web"]
    assert story.paused() == {"web": "ada"}


def test_a_throttled_write_is_repeated_within_half_a_minute() -> None:
    story = Story()
    story.world.azure.faults.arm(TAG_WRITE, Throttled(timedelta(seconds=7)), times=1)
    assert story.acts.pause(story.web, story.pause).done == ("web: paused by ada",)
    assert story.waited == [7]
    story.world.azure.faults.arm(TAG_WRITE, Throttled(timedelta(minutes=5)), times=1)
    assert story.acts.pause(story.web, story.pause).outcome == "failed"


def test_a_replica_whose_lead_may_end_sends_nothing() -> None:
    story = Story(lead=Lead(is_permitted=False))
    asked = story.writes()
    story.world.azure.scale_set("web").set_tags(
        {"vmss-reconciler-pause": "by=bob;at=2026-01-05T09:00:00+00:00"}
    )
    for result in all_of(story)[:4]:
        assert result.outcome == "failed"
        assert "expired, or was about to; nothing was sent" in result.failed[0]
    assert story.writes() == asked


def test_an_act_that_waits_until_the_replica_leads_again_sends_nothing_more() -> None:
    lead = Lead()
    story = Story(lead=lead)
    story.world.azure.faults.arm(TAG_WRITE, Throttled(timedelta(seconds=7)), times=1)
    story.meanwhile = lambda: setattr(lead, "term", 2)
    result = story.acts.pause(story.web, story.pause)
    assert story.waited == [7]
    assert "this replica's leadership expired, or was about to" in result.failed[0]
    assert story.paused() == {}


@pytest.mark.parametrize("command", ["resume", "approve", "retry"])
def test_what_the_fleet_bars_is_not_done(command: str) -> None:
    story = Story(of_all(barredCommands=[command]))
    acts, web, asked = story.acts, story.web, story.writes()
    results = {
        "resume": lambda: {acts.resume(web, ()), acts.resume(None, ())},
        "approve": lambda: {acts.approve(web, web.exact, "ada")},
        "retry": lambda: {acts.retry(web, web.exact)},
    }
    why = f"spec.barredCommands of the Fleet bars `reconciler {command}`; merge a commit instead"
    assert results[command]() == {ActResult(failed=(why,))}
    assert story.writes() == asked


def test_a_standby_says_who_leads() -> None:
    story = Story(lead=Lead(term=0))
    assert story.acts.standby == "this replica is on standby: replica-1 leads; ask the leader"


def test_a_scale_set_whose_spec_is_gone_is_not_reconciled() -> None:
    story = Story()
    web = story.web
    assert story.acts.reconcile(web) == ActResult(("web: reconciled now",))
    story.world.unmerge("web")
    story.world.rest(timedelta(minutes=2))
    assert story.acts.reconcile(web) == ActResult(failed=("web: no longer declared",))


def test_picked_instances_are_picked_as_by_the_command() -> None:
    story = Story()
    (done,) = story.acts.upgrade(PickRequest("web", "ada", "update domain 4")).done
    assert done.startswith("web: to be upgraded next: instance ")
    assert "(update domain 4), picked by ada at " in done
    assert story.web.pick
    assert story.web.pick.pick.place == "update domain 4"


def test_the_instances_of_a_domain_that_were_shown_are_picked_and_no_others() -> None:
    story = Story()
    (done,) = story.acts.upgrade(PickRequest("web", "ada", "update domain 4", ("4",))).done
    assert done.startswith("web: to be upgraded next: instance 4 (update domain 4), picked by ada at ")


@pytest.mark.parametrize(
    "request_, why",
    [
        pytest.param(PickRequest("web", "ada", "zone 9"), "web: no instance is in zone 9; ", id="no such place"),
        pytest.param(PickRequest("gone", "ada", "zone 1"), "gone: no spec in force is named gone", id="no such scale set"),
    ],
)  # fmt: skip
def test_what_cannot_be_picked_is_not_upgraded(request_: PickRequest, why: str) -> None:
    (failed,) = Story().acts.upgrade(request_).failed
    assert failed.startswith(why)


@pytest.mark.parametrize("command", ["approve", "retry"])
def test_an_image_whose_version_nobody_was_shown_is_left_alone(command: str) -> None:
    story = Story(version="latest")
    web = replace(story.web, seen=replace(story.web.seen, exact=None))
    act = {
        "approve": lambda: story.acts.approve(web, web.exact, "ada"),
        "retry": lambda: story.acts.retry(web, web.exact),
    }
    asked = story.writes()
    (why,) = act[command]().failed
    assert why.startswith("web: its version is not known yet; the daemon resolves latest")
    assert story.writes() == asked


def test_a_retry_is_of_the_image_that_was_shown_whatever_latest_is_by_now() -> None:
    story = Story(version="latest", onFailure="rollback")
    story.world.run(lambda: "RolloutFailed" in story.world.reasons("api"))
    shown = story.world.state("api").exact
    story.world.azure.publish(f"{':'.join(BASE.values())}:{FIX}")
    (done,) = story.acts.retry(story.world.state("api"), shown).done
    assert done.startswith(f"api: earlier failures of {BAD} no longer count, ")
    assert persisted_state(story.world.azure.scale_set("api").tags).failed is None


def test_a_pause_that_nobody_was_shown_stays() -> None:
    story = Story()
    ada, bob = story.pause, replace(BOB, at=story.pause.at)
    story.acts.pause(story.web, bob)
    for shown in ((), (ada,)):
        (why,) = story.acts.resume(story.web, shown).failed
        assert why.startswith("web: it was paused by bob at ")
        assert why.endswith(" (do not touch), which the form did not show; open the form again in a minute")
        assert story.paused() == {"web": "bob"}
    assert story.acts.resume(story.web, (bob,)).outcome == "done"
    assert story.paused() == {}


@pytest.mark.parametrize(
    "documents, kept",
    [
        pytest.param([of_all(pauseTag=TAG)], {"": "bob"}, id="by the tag of the group"),
        pytest.param([], {"api": "bob", "web": "bob"}, id="by each scale set"),
    ],
)
def test_a_pause_of_the_fleet_that_nobody_was_shown_stays(
    documents: list[dict[str, object]], kept: dict[str, str]
) -> None:
    story = Story(*documents)
    story.acts.pause(None, replace(BOB, at=story.pause.at))
    assert story.acts.resume(None, (story.pause,)).outcome == "failed"
    assert story.paused() == kept
    story.world.rest(timedelta(minutes=2))
    assert story.world.lines()["web"].startswith("Paused: ")


def test_a_pause_that_only_the_daemon_knows_stays_unless_it_was_shown() -> None:
    story = Story(of_all(pauseTag=TAG))
    story.world.azure.faults.arm(TAG_WRITE, DENIED, times=1)
    story.acts.pause(None, replace(BOB, at=story.pause.at))
    (why,) = story.acts.resume(None, (story.pause,)).failed
    assert why.startswith("the fleet was paused by bob at ")
    story.world.rest(timedelta(minutes=2))
    assert story.world.lines()["web"].startswith("Paused: ")
    shown = confirmation_of_fleet(Action.RESUME, story.world.reconciler.store).pauses
    assert story.acts.resume(None, shown).outcome == "done"
    story.world.rest(timedelta(minutes=2))
    assert not story.world.lines()["web"].startswith("Paused: ")


def test_the_pauses_of_a_form_are_those_of_the_tags() -> None:
    """The tag of a pause is read to the same value as the order, or no form could lift it."""
    story = Story()
    order = replace(story.pause, reason="50 % off; see “a=b”")
    story.acts.pause(story.web, order)
    story.world.rest(timedelta(minutes=2))
    shown = confirmation_of_scale_set(Action.RESUME, story.web)
    assert shown.pauses == (order,)
    assert confirmation_of_fleet(Action.RESUME, story.world.reconciler.store).pauses == (order,)
    assert story.acts.resume(story.web, shown.pauses).outcome == "done"
