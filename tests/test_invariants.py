"""The invariants of a rollout fail where a client breaks them, and only there."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.simulator import Partial, Record, Request, Stale, Status, VirtualClock
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.image import PlatformImage
from reconciler.spec.scale_set import By
from tests import invariants, spec_invariants
from tests.declared import InForce, Story
from tests.invariants import Lost
from tests.stories.watched import Watched
from tests.stories.world import BAD, BASE, FIX, NEW, OLD, SUBSCRIPTION, of_all, spec

SETS = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets"
)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LIST = "/virtualMachines?$expand=instanceView"


def image(version: str = NEW) -> dict[str, Any]:
    """The body of a change of the model."""
    reference = {"imageReference": {**BASE, "version": version}}
    return {"properties": {"virtualMachineProfile": {"storageProfile": reference}}}


class Client:
    """Somebody who asks Azure for whatever a case says: ten instances of `web` in five update domains, beside `db`.

    What a case declares is in force for it at once.
    """

    def __init__(self) -> None:
        self.clock = VirtualClock()
        versions = {"platform": [{**BASE, "versions": [OLD, NEW, BAD]}]}
        bad = [{"image": f"{':'.join(BASE.values())}:{BAD}", "boots": "unhealthy"}]
        web = {
            "name": "web",
            "resourceGroup": "shop",
            "capacity": 10,
            "health": "extension",
            "mode": "Manual",
        }
        found = {**web, "image": {"platform": {**BASE, "version": OLD}}}
        declared = {
            "subscription": SUBSCRIPTION,
            "images": {**versions, "bad": bad},
            "scaleSets": [found, {**found, "name": "db"}],
        }
        self.azure = Watched.load(declared, self.clock)
        self.web, self.db = self.azure.scale_set("web"), self.azure.scale_set("db")
        self.documents: dict[str, Any] = {}
        self.in_force: list[InForce] = []

    @property
    def story(self) -> Story:
        return Story(self.azure.record, self.in_force, self.azure.scenes)

    def declare(self, *documents: Any) -> "Client":
        """Beside what was declared before."""
        self.documents |= {each["metadata"]["name"]: each for each in documents}
        files = [File("all.yaml", yaml.safe_dump_all(self.documents.values()).encode())]
        declared = declare(files)
        assert not declared.problems
        asked = len(self.azure.record.requests)
        self.in_force.append(InForce(self.clock.now(), 0, asked, declared.scale_sets))
        return self

    def ask(
        self, method: str, path: str = "", body: Any = None, of: str = "web", if_match: str = ""
    ) -> "Client":
        url = f"https://arm.test{SETS}/{of}{path}{'&' if '?' in path else '?'}api-version=2026-04-01"
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer t"} | ({"If-Match": if_match} if if_match else {})
        self.azure.handle(Request(method, url, headers, content))
        return self

    def patch(self, version: str = NEW, of: str = "web") -> "Client":
        return self.ask("PATCH", body=image(version), of=of).wait(MINUTE)

    def look(self, of: str = "web") -> "Client":
        return self.ask("GET", of=of).ask("GET", "/virtualMachines?$expand=instanceView", of=of)

    def upgrade(self, *ids: str, of: str = "web") -> "Client":
        return self.ask("POST", "/manualupgrade", {"instanceIds": ids}, of=of)

    def wait(self, span: timedelta = 10 * MINUTE) -> "Client":
        self.clock.advance(span)
        return self

    def does(self, act: Callable[[], None]) -> "Client":
        act()
        return self


def two_domains(record: Record) -> None:
    invariants.never_two_domains_away(record, "web")


def two_batches(record: Record) -> None:
    invariants.never_two_batches_away(record, "web", Lost(lambda upgraded: upgraded // 2, 5 * MINUTE))


def two_away(record: Record) -> None:
    invariants.never_more_away_than(record, "shop/web", lambda total: total // 5)


def batches_of_racks(record: Record) -> None:
    invariants.never_two_domains_away(record, "web", invariants.domain_of(By.FAULT_DOMAIN))


def partial(client: Client, operation: str = "VirtualMachineScaleSetVMs_List") -> Client:
    client.azure.faults.arm(operation, Partial(), times=None)
    return client


def stale(client: Client) -> Client:
    client.azure.faults.arm("VirtualMachineScaleSetVMs_List", Stale(10 * MINUTE), times=None)
    return client


BROKEN: dict[str, tuple[Callable[[Client], Client], Callable[[Record], None], str]] = {
    "two domains at once": (
        lambda web: web.patch().upgrade("0").wait(MINUTE).upgrade("1"),
        two_domains,
        "web: 1 went at 09:02:00, when 0 of an earlier upgrade were not back: that is 2 domains",
    ),
    "two domains in one upgrade": (
        lambda web: web.patch().upgrade("0", "1"),
        two_domains,
        "web: 0, 1 went at 09:01:00, when none of an earlier upgrade were not back: that is 2 domains",
    ),
    "another domain while a bad image is not back": (
        lambda web: web.patch(BAD).upgrade("0", "5").wait().upgrade("1"),
        two_domains,
        "web: 1 went at 09:11:00, when 0, 5 of an earlier upgrade were not back: that is 2 domains",
    ),
    "two fault domains": (
        lambda web: web.patch().upgrade("0", "1"),
        batches_of_racks,
        "web: 0, 1 went at 09:01:00, when none of an earlier upgrade were not back: that is 2 domains",
    ),
    "two batches of one domain": (
        lambda web: web.patch().upgrade("0").wait(MINUTE).upgrade("5"),
        two_batches,
        "web: 5 went at 09:02:00, when 0 of an earlier upgrade were not back",
    ),
    "a batch while one that came back is sick": (
        lambda web: web.patch().upgrade("0").wait().does(web.web.instance("0").sicken).wait(2 * MINUTE).upgrade("5"),
        two_batches,
        "web: 5 went at 09:13:00, when 0 of an earlier upgrade were not back",
    ),
    "a batch while more are lost than may be": (
        lambda web: web.patch(BAD).upgrade("0", "5").wait().upgrade("1"),
        two_batches,
        "web: 1 went at 09:11:00, when 0, 5 of an earlier upgrade were not back",
    ),
    "more than may be away with a sick one": (
        lambda web: web.patch().does(web.web.instance("9").sicken).upgrade("0", "5"),
        two_away,
        "shop/web: 0, 5 went at 09:01:00, when 9 were away: of 10 no more than 2 may be",
    ),
    "an upgrade without a look": (
        lambda web: web.patch().upgrade("0"),
        invariants.no_write_follows_from_a_partial_read,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['0']}: nobody had listed the "
        "instances",
    ),
    "an upgrade on a list that lacks one": (
        lambda web: partial(web.patch()).look().upgrade("1"),
        invariants.no_write_follows_from_a_partial_read,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['1']}: a list of instances that it "
        "follows from lacked some",
    ),
    "a patch on a list that lacks one": (
        lambda web: partial(web).look().patch(),
        invariants.no_write_follows_from_a_partial_read,
        "a list of instances that it follows from lacked some",
    ),
    "an upgrade on a list of half a minute ago": (
        lambda web: web.patch().look().wait(MINUTE / 2).ask("GET").upgrade("0"),
        invariants.no_write_rests_on_old_reads,
        "VirtualMachineScaleSetVMs_List had been asked for 0:00:30 before",
    ),
    "an upgrade on a model of half a minute ago": (
        lambda web: web.patch().look().wait(MINUTE / 2).ask("GET", LIST).upgrade("0"),
        invariants.no_write_rests_on_old_reads,
        "VirtualMachineScaleSets_Get had been asked for 0:00:30 before",
    ),
    "an upgrade after a model and then a list": (
        lambda web: web.patch().look().upgrade("0"),
        invariants.every_upgrade_reads_the_model_last,
        "what was read last is ['VirtualMachineScaleSetVMs_List']",
    ),
    "an upgrade of none": (
        lambda web: web.patch().upgrade(),
        invariants.every_upgrade_names_its_instances,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': []}: it names no instance",
    ),
    "an upgrade of all": (
        lambda web: web.patch().upgrade("*"),
        invariants.every_upgrade_names_its_instances,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['*']}: it names all instances",
    ),
    "the same upgrade before five minutes are over": (
        lambda web: web.patch().upgrade("0", "5").wait(4 * MINUTE).upgrade("5", "0"),
        invariants.no_step_is_repeated_at_once,
        "09:05:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['5', '0']}: it was accepted at "
        "09:01:00 already",
    ),
    "the same patch": (
        lambda web: web.patch().does(lambda: web.web.set_image(f"{':'.join(BASE.values())}:{OLD}")).patch(),
        invariants.no_step_is_repeated_at_once,
        "it was accepted at 09:00:00 already",
    ),
    "an upgrade of what is up to date": (
        lambda web: web.look().upgrade("0"),
        invariants.no_write_is_for_nothing,
        "09:00:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['0']}: that was so already",
    ),
    "a patch to the image that the model is on": (
        lambda web: web.look().patch(OLD),
        invariants.no_write_is_for_nothing,
        "that was so already",
    ),
    "tags that are there": (
        lambda web: web.ask("PATCH", body={"tags": {"a": "b"}}).wait().ask("PATCH", body={"tags": {"a": "b"}}),
        invariants.no_write_is_for_nothing,
        "09:10:00 PATCH virtualMachineScaleSets/web {'tags': {'a': 'b'}}: that was so already",
    ),
    "a patch without If-Match": (
        lambda web: web.patch(),
        invariants.every_patch_is_guarded,
        "it has no If-Match",
    ),
    "a patch of the capacity too": (
        lambda web: web.ask("PATCH", body=image() | {"sku": {"capacity": 3}}, if_match=web.web.etag),
        invariants.every_patch_is_guarded,
        "it sets sku",
    ),
    "a patch of the mode too": (
        lambda web: web.ask(
            "PATCH",
            body={"properties": image()["properties"] | {"upgradePolicy": {"mode": "Manual"}}},
            if_match=web.web.etag,
        ),
        invariants.every_patch_is_guarded,
        "it sets more than the image",
    ),
    "a patch that leaves somebody's tag out": (
        lambda web: web.does(lambda: web.web.set_tags({"team": "shop"})).ask(
            "PATCH", body=image() | {"tags": {"vmss-reconciler-state": "v1"}}, if_match=web.web.etag
        ),
        invariants.every_patch_is_guarded,
        "the tags of others were {'team': 'shop'}",
    ),
    "a read that selects": (
        lambda web: web.ask("GET", "/virtualMachines?$select=instanceView"),
        invariants.no_read_selects,
        "09:00:00 GET virtualMachineScaleSets/web/virtualMachines: it selects instanceView",
    ),
    "any write at all": (
        lambda web: web.look().upgrade("0"),
        invariants.nothing_was_written,
        "there was nothing to do: 09:00:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['0']}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "message"), BROKEN.values(), ids=BROKEN)
def test_a_rule_is_broken_by(
    act: Callable[[Client], Client], rule: Callable[[Record], None], message: str
) -> None:
    client = act(Client())
    with pytest.raises(AssertionError) as broken:
        rule(client.azure.record)
    assert str(broken.value).endswith(message)


KEPT: dict[str, tuple[Callable[[Client], Client], Callable[[Record], None]]] = {
    "the next domain once the last one is back": (
        lambda web: web.patch().upgrade("0", "5").wait().upgrade("1", "6"),
        two_domains,
    ),
    "the cure of what does no work anyway": (
        lambda web: web.patch(BAD).upgrade("0", "5").wait().patch(NEW).upgrade("0", "5"),
        two_batches,
    ),
    "the cure of another domain": (
        lambda web: web.patch().does(web.web.instance("1").sicken).upgrade("0").wait(MINUTE).upgrade("1"),
        two_domains,
    ),
    "going on beside what a person protects": (
        lambda web: web.patch(BAD).upgrade("0").wait().does(web.web.instance("0").protect).upgrade("1"),
        two_domains,
    ),
    "and beside what a person deallocates": (
        lambda web: web.patch(BAD).upgrade("0").wait().does(web.web.instance("0").deallocate).upgrade("1"),
        two_batches,
    ),
    "and beside what may be given up for lost": (
        lambda web: (
            web.patch(BAD)
            .upgrade("0", "5")
            .wait(4 * MINUTE)
            .does(web.web.instance("5").heal)
            .wait()
            .upgrade("1")
        ),
        two_batches,
    ),
    "as many as may be away, with one that is sick": (
        lambda web: web.patch().does(web.web.instance("9").sicken).upgrade("0"),
        two_away,
    ),
    "what is deallocated is not away": (
        lambda web: web.patch().does(web.web.instance("9").deallocate).wait().upgrade("0", "5"),
        two_away,
    ),
    "a cure takes nobody away": (
        lambda web: (
            web.patch()
            .does(web.web.instance("0").sicken)
            .does(web.web.instance("1").sicken)
            .does(web.web.instance("2").sicken)
            .upgrade("0")
        ),
        two_away,
    ),
    "a list that lacks one, and then a whole one": (
        lambda web: partial(web.patch()).look().does(web.azure.faults.disarm).look().upgrade("0"),
        invariants.no_write_follows_from_a_partial_read,
    ),
    "another list that lacks one": (
        lambda web: partial(web.patch(), "VirtualMachineScaleSets_ListAll").look().upgrade("0"),
        invariants.no_write_follows_from_a_partial_read,
    ),
    "beside one that came back, fell sick and is given up": (
        lambda web: (
            web.patch().upgrade("0", "5").wait().does(web.web.instance("0").sicken).wait().upgrade("1")
        ),
        two_batches,
    ),
    "beside one that falls sick at this moment": (
        lambda web: web.patch().upgrade("0").wait().does(web.web.instance("0").sicken).upgrade("5"),
        two_batches,
    ),
    "a patch of image and own tags, with If-Match": (
        lambda web: web.does(lambda: web.web.set_tags({"team": "shop"})).ask(
            "PATCH",
            body=image() | {"tags": {"team": "shop", "vmss-reconciler-state": "v1"}},
            if_match=web.web.etag,
        ),
        invariants.every_patch_is_guarded,
    ),
    "the same upgrade after five minutes": (
        lambda web: web.patch().upgrade("0").wait(5 * MINUTE).upgrade("0"),
        invariants.no_step_is_repeated_at_once,
    ),
    "the same instances for another image": (
        lambda web: web.patch(BAD).upgrade("0").wait(2 * MINUTE).patch(NEW).upgrade("0"),
        invariants.no_step_is_repeated_at_once,
    ),
    "what was refused": (
        lambda web: web.patch().upgrade("77").upgrade("77"),
        invariants.no_step_is_repeated_at_once,
    ),
    "what was so already, by an old list": (
        lambda web: stale(web.patch()).look().upgrade("0").wait().look().upgrade("0"),
        invariants.no_write_is_for_nothing,
    ),
    "what was written before": (
        lambda web: web.patch().look(),
        lambda record: invariants.nothing_was_written(record, 1),
    ),
}


@pytest.mark.parametrize(("act", "rule"), KEPT.values(), ids=KEPT)
def test_a_rule_is_kept_by(act: Callable[[Client], Client], rule: Callable[[Record], None]) -> None:
    rule(act(Client()).azure.record)


CLOSED = [{"kind": "allow", "schedule": "0 20 * * *", "duration": "1h"}]
URN = ":".join(BASE.values())


def rolled(**rollout: Any) -> Any:
    """Of web, to NEW."""
    return spec(rollout=rollout)


def tagged(client: Client, text: str) -> Client:
    client.web.set_tags({"vmss-reconciler-state": text})
    return client


def noted(client: Client, version: str = BAD) -> Client:
    """A write of the tags alone, which tells that this image failed."""
    digest = Fingerprint.of(PlatformImage(**BASE, version=version)).digest
    tags = {"vmss-reconciler-state": f"v1;failed={digest},{version}"}
    return client.ask("PATCH", body={"tags": tags}).wait(MINUTE)


def sick(client: Client, *ids: str) -> Client:
    for id_ in ids:
        client.web.instance(id_).sicken()
    return client.wait(2 * MINUTE)


def both(client: Client, *, web: Any = None, **fleet: Any) -> Client:
    """Both scale sets are to run NEW."""
    return client.declare(of_all(**fleet), spec("db"), spec(**(web or {})))


def lost(client: Client) -> Client:
    """What db took to the bad image has been away for longer than its time, and the daemon has seen it."""
    client.declare(spec("db", BAD, health={"timeout": "2m"}), spec(version=BAD))
    return client.patch(BAD, of="db").upgrade("0", of="db").wait(20 * MINUTE).look("db").wait(SECOND)


def refused(client: Client, every: timedelta, times: int) -> Client:
    client.azure.faults.arm(
        "VirtualMachineScaleSets_Update", Status(403, "AuthorizationFailed", ""), times=None
    )
    client.declare(spec())
    for _ in range(times):
        client.ask("PATCH", body=image()).wait(every)
    return client


UNDONE: dict[str, tuple[Callable[[Client], Client], Callable[[Story], None], str]] = {
    "an image that nobody declares": (
        lambda web: web.declare(spec()).patch(BAD),
        spec_invariants.every_image_is_declared_or_was_good,
        "no commit in force declares this image",
    ),
    "an image that was declared until a moment ago": (
        lambda web: web.declare(spec(version=BAD)).wait(MINUTE).declare(spec()).patch(BAD),
        spec_invariants.every_image_is_declared_or_was_good,
        "no commit in force declares this image",
    ),
    "a version of what nobody follows the latest of": (
        lambda web: web.declare(spec(image={"platform": {**BASE, "sku": "minimal", "version": "latest"}})).patch(),
        spec_invariants.every_image_is_declared_or_was_good,
        "no commit in force declares this image",
    ),
    "a last good image that only a tag tells of": (
        lambda web: tagged(web.declare(spec()), f"v1;good={URN}:{FIX}").patch(FIX),
        spec_invariants.every_image_is_declared_or_was_good,
        "it was never seen to run here",
    ),
    "a change of what is suspended": (
        lambda web: web.declare(spec(suspend={"reason": "night"})).patch(),
        spec_invariants.no_write_is_made_under_a_brake,
        "was in force",
    ),
    "an upgrade under a freeze": (
        lambda web: web.declare(spec()).patch().declare(of_all(freeze=True)).upgrade("0"),
        spec_invariants.no_write_is_made_under_a_brake,
        "was in force",
    ),
    "a failure that is noted under a freeze": (
        lambda web: noted(web.declare(spec(version=BAD)).patch(BAD).declare(of_all(freeze=True))),
        spec_invariants.no_write_is_made_under_a_brake,
        "was in force",
    ),
    "a failure that is noted twice": (
        lambda web: noted(noted(web.declare(spec(version=BAD)).patch(BAD).upgrade("0").wait())),
        spec_invariants.tags_alone_tell_of_the_image_that_failed_and_once,
        "it told that at 09:11:00",
    ),
    "a failure of another image than that of the model": (
        lambda web: noted(web.declare(spec()).patch()),
        spec_invariants.tags_alone_tell_of_the_image_that_failed_and_once,
        f"the model is on {URN}:{NEW}",
    ),
    "a failure that takes the last good image with it": (
        lambda web: noted(tagged(web.declare(spec(version=BAD)).patch(BAD), f"v1;good={URN}:{OLD}")),
        spec_invariants.tags_alone_tell_of_the_image_that_failed_and_once,
        f"the tags said {PersistedState(last_good=PlatformImage(**BASE, version=OLD))}",
    ),
    "a new image outside its window": (
        lambda web: web.declare(rolled(windows=CLOSED)).patch(),
        spec_invariants.windows_hold,
        "no window was open",
    ),
    "an upgrade outside a window of the fleet": (
        lambda web: web.declare(spec(), of_all(windows=CLOSED)).does(lambda: web.web.set_image(f"{URN}:{NEW}")).upgrade("0"),
        spec_invariants.windows_hold,
        "no window was open",
    ),
    "the return of one that serves outside its window": (
        lambda web: (
            tagged(web.declare(spec()).patch().upgrade("0").wait(), f"v1;good={URN}:{OLD}")
            .declare(rolled(windows=CLOSED))
            .patch(OLD)
            .upgrade("0")
        ),
        spec_invariants.windows_hold,
        "no window was open",
    ),
    "one that is unhealthy is taken to an image that is not proven, outside the window": (
        lambda web: (
            sick(web, "0").declare(rolled(windows=CLOSED)).does(lambda: web.web.set_image(f"{URN}:{NEW}")).upgrade("0")
        ),
        spec_invariants.what_passes_a_window_is_proven_or_tried_once,
        "the image is not proven here, and no window was open",
    ),
    "a second batch of the unhealthy tries an image that did not help": (
        lambda web: (
            sick(web, "0", "1", "2")
            .declare(rolled(windows=CLOSED))
            .does(lambda: web.web.set_image(f"{URN}:{BAD}"))
            .upgrade("0")
            .wait()
            .upgrade("1")
        ),
        spec_invariants.what_passes_a_window_is_proven_or_tried_once,
        "it was tried already, and no window was open",
    ),
    "a new image that nobody has approved": (
        lambda web: web.declare(rolled(approval="start")).patch(),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "a new image where another is approved": (
        lambda web: (
            web.declare(rolled(approval="start"))
            .does(lambda: web.web.set_tags({"vmss-reconciler-approved": f"{URN}:{FIX}"}))
            .patch()
        ),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "the second batch where a canary is to be approved": (
        lambda web: web.declare(rolled(approval="canary")).patch().upgrade("0").wait().upgrade("1"),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "one that is unhealthy is taken to an image that nobody has approved": (
        lambda web: (
            sick(web, "0").declare(rolled(approval="start")).does(lambda: web.web.set_image(f"{URN}:{NEW}")).upgrade("0")
        ),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "one of many that are unhealthy is taken to an image that nobody has approved, outside the window": (
        lambda web: (
            sick(web, "0", "1", "2")
            .declare(rolled(approval="canary", windows=CLOSED))
            .does(lambda: web.web.set_image(f"{URN}:{NEW}"))
            .upgrade("0")
        ),
        spec_invariants.approval_holds,
        "nobody has approved this image, and no window was open",
    ),
    "a new image that nobody has approved is tried on many that are unhealthy, outside the window": (
        lambda web: sick(web, "0", "1", "2").declare(rolled(approval="canary", windows=CLOSED)).patch(),
        spec_invariants.windows_hold,
        "no window was open",
    ),
    "more than the canary": (
        lambda web: web.declare(rolled(canary={"instances": 1})).patch().upgrade("0", "5"),
        spec_invariants.a_canary_goes_first,
        "0, 5 are beyond the canary, which is not back",
    ),
    "another than the canary that is named": (
        lambda web: web.declare(rolled(canary={"instances": ["3"]})).patch().upgrade("0"),
        spec_invariants.a_canary_goes_first,
        "0 are beyond the canary, which is not back",
    ),
    "a batch before the soak of the last one is over": (
        lambda web: web.declare(rolled(soak="9m")).patch().upgrade("0").wait().upgrade("1"),
        spec_invariants.every_batch_soaks,
        "0 had not been back for 0:09:00",
    ),
    "a batch before the soak of the canary is over": (
        lambda web: web.declare(rolled(canary={"instances": 1, "soak": "1h"})).patch().upgrade("0").wait().upgrade("1"),
        spec_invariants.every_batch_soaks,
        "the canary 0 had not been back for 1:00:00",
    ),
    "a batch that is too large": (
        lambda web: web.declare(rolled(maxBatch=1)).patch().upgrade("0", "5"),
        spec_invariants.no_batch_is_too_large,
        "2 of 10 at once, and no more than 1 may be",
    ),
    "a batch of unhealthy ones that is too large": (
        lambda web: sick(web, "0", "5").declare(rolled(maxBatch=1)).patch().upgrade("0", "5"),
        spec_invariants.no_batch_is_too_large,
        "2 of 10 at once, and no more than 1 may be",
    ),
    "a serving instance while many are unhealthy": (
        lambda web: sick(web, "7", "8", "9").declare(rolled(maxUnhealthy=2)).patch().upgrade("0"),
        spec_invariants.none_goes_while_many_are_unhealthy,
        "7, 8, 9 were unhealthy, and of 10 no more than 2 may be",
    ),
    "a scale set before the one that it depends on": (
        lambda web: both(web, web={"dependsOn": ["db"]}).look("db").patch(),
        spec_invariants.those_before_are_done,
        f"db goes first, and its model was on {URN}:{OLD}",
    ),
    "a scale set whose dependency nobody looked at": (
        lambda web: both(web, web={"dependsOn": ["db"]}).patch(),
        spec_invariants.those_before_are_done,
        "db goes first, and was not looked at",
    ),
    "a wave while an instance of the one before is behind": (
        lambda web: (
            both(web, web={"wave": 1}).patch(of="db").upgrade(*"012345678", of="db").wait().look("db").wait(SECOND).patch()
        ),
        spec_invariants.those_before_are_done,
        "db goes first, and 9 of it were behind",
    ),
    "a wave while an instance of the one before is sick": (
        lambda web: (
            both(web, web={"wave": 1})
            .patch(of="db")
            .upgrade(*"0123456789", of="db")
            .wait()
            .does(web.db.instance("4").sicken)
            .look("db")
            .wait(SECOND)
            .patch()
        ),
        spec_invariants.those_before_are_done,
        "db goes first, and 4 of it were not serving",
    ),
    "a wave before the one before has baked": (
        lambda web: (
            web.declare(spec("db", rollout={"bakeTime": "1h"}), spec(wave=1))
            .patch(of="db")
            .upgrade(*"0123456789", of="db")
            .wait()
            .look("db")
            .wait(SECOND)
            .patch()
        ),
        spec_invariants.those_before_are_done,
        "db goes first, and 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 of it had not been back for 1:00:00",
    ),
    "a scale set more than may roll at once": (
        lambda web: both(web, maxConcurrentRollouts=1).patch(of="db").upgrade("0", of="db").wait(MINUTE).patch(),
        spec_invariants.no_more_roll_at_once_than_may,
        "db are under way, and no more than 1 may be",
    ),
    "a second scale set at the same moment as the pilot": (
        lambda web: both(web).ask("PATCH", body=image(), of="db").wait(5 * SECOND).patch(),
        spec_invariants.a_pilot_goes_first,
        "db had not proven it, and 0 had",
    ),
    "two scale sets at the same moment where one may roll": (
        lambda web: both(web, maxConcurrentRollouts=1).ask("PATCH", body=image(), of="db").wait(5 * SECOND).patch(),
        spec_invariants.no_more_roll_at_once_than_may,
        "db are under way, and no more than 1 may be",
    ),
    "a second scale set while the batch of the pilot is away": (
        lambda web: both(web).patch(of="db").upgrade("0", of="db").wait(MINUTE).patch(),
        spec_invariants.a_pilot_goes_first,
        "db had not proven it, and 0 had",
    ),
    "a second scale set while the pilot soaks": (
        lambda web: (
            web.declare(spec("db", rollout={"soak": "1h"}), spec()).patch(of="db").upgrade("0", of="db").wait().patch()
        ),
        spec_invariants.a_pilot_goes_first,
        "db had not proven it, and 0 had",
    ),
    "an image that has failed elsewhere is begun": (
        lambda web: lost(web).patch(BAD),
        spec_invariants.the_breaker_holds,
        "it had failed in db, and in no more than 0 may it",
    ),
    "an image that has failed elsewhere goes on": (
        lambda web: lost(web).does(lambda: web.web.set_image(f"{URN}:{BAD}")).upgrade("0"),
        spec_invariants.the_breaker_holds,
        "it had failed in db, and in no more than 0 may it",
    ),
    "what is refused is asked for every two minutes": (
        lambda web: refused(web, 2 * MINUTE, 21),
        spec_invariants.refused_writes_back_off,
        "refused 21 times within the hour",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "message"), UNDONE.values(), ids=UNDONE)
def test_a_rule_of_the_specs_is_broken_by(
    act: Callable[[Client], Client], rule: Callable[[Story], None], message: str
) -> None:
    client = act(Client())
    with pytest.raises(AssertionError) as broken:
        rule(client.story)
    assert str(broken.value).endswith(message)


OBEYED: dict[str, Callable[[Client], Client]] = {
    "a version of what is followed": lambda web: web.declare(
        spec(image={"platform": {**BASE, "version": "latest"}})
    ).patch(),
    "the last good image, which runs here": lambda web: (
        tagged(web.declare(spec()).patch().upgrade("0").wait(), f"v1;good={URN}:{OLD}").patch(OLD)
    ),
    "a model that goes back outside its window": lambda web: (
        tagged(web.declare(spec()).patch().upgrade("0").wait(), f"v1;good={URN}:{OLD}")
        .declare(rolled(windows=CLOSED, approval="start"))
        .patch(OLD)
    ),
    "a failure that is noted, and once more after somebody took it off": lambda web: noted(
        tagged(noted(web.declare(spec(version=BAD)).patch(BAD).upgrade("0").wait()), "")
    ),
    "a change in its window": lambda web: web.wait(11 * HOUR).declare(rolled(windows=CLOSED)).patch().upgrade("0"),
    "an urgent image outside its window, before its wave": lambda web: (
        web.declare(
            of_all(
                urgent={
                    "image": {"platform": {**BASE, "version": NEW}},
                    "reason": "a hole",
                    "until": "2026-01-05T12:00:00Z",
                }
            ),
            spec("db"),
            spec(wave=1, rollout={"windows": CLOSED}),
        )
        .look("db")
        .patch()
        .upgrade("0")
    ),
    "a fix of what did not come back outside its window": lambda web: (
        web.declare(spec(version=BAD))
        .patch(BAD)
        .upgrade("0")
        .wait()
        .declare(spec(version=FIX, rollout={"windows": CLOSED}))
        .patch(FIX)
    ),
    "remediation by an image that runs here, outside the window": lambda web: (
        sick(web.declare(spec()).patch().upgrade("0", "5").wait(), "1").declare(rolled(windows=CLOSED)).upgrade("1")
    ),
    "one batch of many that are unhealthy outside the window": lambda web: (
        sick(web, "0", "1", "2").declare(rolled(windows=CLOSED)).patch().upgrade("0")
    ),
    "the canary before it is approved": lambda web: (
        web.declare(rolled(approval="canary", canary={"instances": 1})).patch().upgrade("0")
    ),
    "the canary before it is approved, where many are unhealthy": lambda web: (
        sick(web, "0", "1", "2").declare(rolled(approval="canary")).patch().upgrade("0")
    ),
    "all of it once it is approved": lambda web: (
        web.declare(rolled(approval="canary", canary={"instances": 1}))
        .does(lambda: web.web.set_tags({"vmss-reconciler-approved": f"{URN}:{NEW}"}))
        .patch()
        .upgrade("0")
        .wait()
        .upgrade("1", "6")
    ),
    "a batch after its soak": lambda web: (
        web.declare(rolled(soak="9m", canary={"instances": 1, "soak": "12m"}))
        .patch()
        .upgrade("0")
        .wait(20 * MINUTE)
        .upgrade("1", "6")
    ),
    "a wave after the one before, but for what is left out of it": lambda web: (
        web.declare(spec("db", rollout={"maxBatch": "100%"}), spec(wave=1))
        .does(web.db.instance("3").protect)
        .does(web.db.instance("4").deallocate)
        .wait()
        .patch(of="db")
        .upgrade(*"01256789", of="db")
        .wait()
        .look("db")
        .wait(SECOND)
        .patch()
    ),
    "a scale set after the pilot": lambda web: both(web).patch(of="db").upgrade("0", of="db").wait().patch(),
    "a scale set while another has a place": lambda web: (
        both(web, maxConcurrentRollouts=2).patch(of="db").upgrade("0", of="db").wait().upgrade("1", of="db").patch()
    ),
    "another image than the one that has failed elsewhere": lambda web: lost(web).declare(spec()).patch(),
    "an image that has failed elsewhere, where that is borne": lambda web: (
        lost(web).declare(of_all(maxFailedRollouts=1)).patch(BAD)
    ),
    "what is refused and asked for every five minutes": lambda web: refused(web, 5 * MINUTE, 30),
}  # fmt: skip


@pytest.mark.parametrize("act", OBEYED.values(), ids=OBEYED)
def test_the_rules_of_the_specs_are_kept_by(act: Callable[[Client], Client]) -> None:
    story = act(Client()).story
    assert story.writes, "nothing was judged"
    for rule in spec_invariants.RULES:
        rule(story)
