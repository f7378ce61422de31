"""The invariants of a rollout fail if a client breaks them, and only then."""

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
    """The body of a PATCH of the model."""
    reference = {"imageReference": {**BASE, "version": version}}
    return {"properties": {"virtualMachineProfile": {"storageProfile": reference}}}


class Client:
    """A client of Azure that does what a case says, with ten instances of `web` in five update domains, and `db`.

    Specs that a case declares are in force at once.
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
        """Declare these documents in addition to earlier ones."""
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


def check_domains(record: Record) -> None:
    invariants.at_most_one_domain_is_unavailable(record, "web")


def check_batches(record: Record) -> None:
    invariants.at_most_one_batch_is_unavailable(
        record, "web", Lost(lambda upgraded: upgraded // 2, 5 * MINUTE)
    )


def check_max_unavailable(record: Record) -> None:
    invariants.max_unavailable_is_not_exceeded(record, "shop/web", lambda total: total // 5)


def check_fault_domains(record: Record) -> None:
    invariants.at_most_one_domain_is_unavailable(record, "web", invariants.domain_of(By.FAULT_DOMAIN))


def partial(client: Client, operation: str = "VirtualMachineScaleSetVMs_List") -> Client:
    client.azure.faults.arm(operation, Partial(), times=None)
    return client


def stale(client: Client) -> Client:
    client.azure.faults.arm("VirtualMachineScaleSetVMs_List", Stale(10 * MINUTE), times=None)
    return client


REJECTED_BY_RECORD: dict[str, tuple[Callable[[Client], Client], Callable[[Record], None], str]] = {
    "two domains at once": (
        lambda web: web.patch().upgrade("0").wait(MINUTE).upgrade("1"),
        check_domains,
        "web: 1 were upgraded at 09:02:00 while 0 of an earlier upgrade were unavailable: that is 2 domains",
    ),
    "two domains in one upgrade": (
        lambda web: web.patch().upgrade("0", "1"),
        check_domains,
        "web: 0, 1 were upgraded at 09:01:00 while none of an earlier upgrade were unavailable: that is 2 domains",
    ),
    "another domain while instances on a bad image are unavailable": (
        lambda web: web.patch(BAD).upgrade("0", "5").wait().upgrade("1"),
        check_domains,
        "web: 1 were upgraded at 09:11:00 while 0, 5 of an earlier upgrade were unavailable: that is 2 domains",
    ),
    "two fault domains": (
        lambda web: web.patch().upgrade("0", "1"),
        check_fault_domains,
        "web: 0, 1 were upgraded at 09:01:00 while none of an earlier upgrade were unavailable: that is 2 domains",
    ),
    "two batches of one domain": (
        lambda web: web.patch().upgrade("0").wait(MINUTE).upgrade("5"),
        check_batches,
        "web: 5 were upgraded at 09:02:00 while 0 of an earlier upgrade were unavailable",
    ),
    "a batch while an upgraded instance became unhealthy again": (
        lambda web: web.patch().upgrade("0").wait().does(web.web.instance("0").sicken).wait(2 * MINUTE).upgrade("5"),
        check_batches,
        "web: 5 were upgraded at 09:13:00 while 0 of an earlier upgrade were unavailable",
    ),
    "a batch while more are unhealthy than maxUnhealthyUpgraded allows": (
        lambda web: web.patch(BAD).upgrade("0", "5").wait().upgrade("1"),
        check_batches,
        "web: 1 were upgraded at 09:11:00 while 0, 5 of an earlier upgrade were unavailable",
    ),
    "more unavailable instances than allowed, one of them unhealthy before": (
        lambda web: web.patch().does(web.web.instance("9").sicken).upgrade("0", "5"),
        check_max_unavailable,
        "shop/web: 0, 5 were upgraded at 09:01:00 while 9 were unavailable: at most 2 of 10 may be",
    ),
    "an upgrade without a list of instances": (
        lambda web: web.patch().upgrade("0"),
        invariants.no_write_follows_from_a_partial_read,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['0']}: the instances were not "
        "listed before",
    ),
    "an upgrade after an incomplete list": (
        lambda web: partial(web.patch()).look().upgrade("1"),
        invariants.no_write_follows_from_a_partial_read,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['1']}: it follows from an "
        "incomplete list of instances",
    ),
    "a patch after an incomplete list": (
        lambda web: partial(web).look().patch(),
        invariants.no_write_follows_from_a_partial_read,
        "it follows from an incomplete list of instances",
    ),
    "an upgrade after a list of half a minute ago": (
        lambda web: web.patch().look().wait(MINUTE / 2).ask("GET").upgrade("0"),
        invariants.no_write_follows_from_old_reads,
        "VirtualMachineScaleSetVMs_List was read 0:00:30 before",
    ),
    "an upgrade after a read of the model half a minute ago": (
        lambda web: web.patch().look().wait(MINUTE / 2).ask("GET", LIST).upgrade("0"),
        invariants.no_write_follows_from_old_reads,
        "VirtualMachineScaleSets_Get was read 0:00:30 before",
    ),
    "an upgrade whose last read is not that of the model": (
        lambda web: web.patch().look().upgrade("0"),
        invariants.every_upgrade_follows_a_read_of_the_model,
        "the last read is ['VirtualMachineScaleSetVMs_List']",
    ),
    "an upgrade that names no instance": (
        lambda web: web.patch().upgrade(),
        invariants.every_upgrade_names_its_instances,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': []}: it names no instance",
    ),
    "an upgrade that names all instances": (
        lambda web: web.patch().upgrade("*"),
        invariants.every_upgrade_names_its_instances,
        "09:01:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['*']}: it names all instances",
    ),
    "the same upgrade again within five minutes": (
        lambda web: web.patch().upgrade("0", "5").wait(4 * MINUTE).upgrade("5", "0"),
        invariants.no_step_is_repeated_at_once,
        "09:05:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['5', '0']}: it was accepted at "
        "09:01:00 already",
    ),
    "the same patch again within five minutes": (
        lambda web: web.patch().does(lambda: web.web.set_image(f"{':'.join(BASE.values())}:{OLD}")).patch(),
        invariants.no_step_is_repeated_at_once,
        "it was accepted at 09:00:00 already",
    ),
    "an upgrade of an instance that is up to date": (
        lambda web: web.look().upgrade("0"),
        invariants.every_write_changes_something,
        "09:00:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['0']}: it changes nothing",
    ),
    "a patch to the image that the model is on": (
        lambda web: web.look().patch(OLD),
        invariants.every_write_changes_something,
        "it changes nothing",
    ),
    "a write of tags that exist already": (
        lambda web: web.ask("PATCH", body={"tags": {"a": "b"}}).wait().ask("PATCH", body={"tags": {"a": "b"}}),
        invariants.every_write_changes_something,
        "09:10:00 PATCH virtualMachineScaleSets/web {'tags': {'a': 'b'}}: it changes nothing",
    ),
    "a patch without If-Match": (
        lambda web: web.patch(),
        invariants.every_patch_is_guarded,
        "it has no If-Match",
    ),
    "a patch that also sets the capacity": (
        lambda web: web.ask("PATCH", body=image() | {"sku": {"capacity": 3}}, if_match=web.web.etag),
        invariants.every_patch_is_guarded,
        "it sets sku",
    ),
    "a patch that also sets the upgrade mode": (
        lambda web: web.ask(
            "PATCH",
            body={"properties": image()["properties"] | {"upgradePolicy": {"mode": "Manual"}}},
            if_match=web.web.etag,
        ),
        invariants.every_patch_is_guarded,
        "it sets more than the image",
    ),
    "a patch that omits a tag of another writer": (
        lambda web: web.does(lambda: web.web.set_tags({"team": "shop"})).ask(
            "PATCH", body=image() | {"tags": {"vmss-reconciler-state": "v1"}}, if_match=web.web.etag
        ),
        invariants.every_patch_is_guarded,
        "the tags of others were {'team': 'shop'}",
    ),
    "a read with $select": (
        lambda web: web.ask("GET", "/virtualMachines?$select=instanceView"),
        invariants.no_read_selects,
        "09:00:00 GET virtualMachineScaleSets/web/virtualMachines: it selects instanceView",
    ),
    "a write during a period without writes": (
        lambda web: web.look().upgrade("0"),
        invariants.nothing_was_written,
        "nothing should have been written: 09:00:00 POST virtualMachineScaleSets/web/manualupgrade {'instanceIds': ['0']}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "message"), REJECTED_BY_RECORD.values(), ids=REJECTED_BY_RECORD)
def test_an_invariant_of_the_record_rejects(
    act: Callable[[Client], Client], rule: Callable[[Record], None], message: str
) -> None:
    client = act(Client())
    with pytest.raises(AssertionError) as broken:
        rule(client.azure.record)
    assert str(broken.value).endswith(message)


ACCEPTED_BY_RECORD: dict[str, tuple[Callable[[Client], Client], Callable[[Record], None]]] = {
    "a second domain after an instance that was unhealthy before, and that the image did not cure": (
        lambda web: (
            web.patch()
            .upgrade("7")
            .wait()
            .does(web.web.instance("7").sicken)
            .wait()
            .patch(BAD)
            .upgrade("7")
            .wait()
            .upgrade("0")
        ),
        check_domains,
    ),
    "the next domain once the last one is healthy": (
        lambda web: web.patch().upgrade("0", "5").wait().upgrade("1", "6"),
        check_domains,
    ),
    "remediation of unavailable instances": (
        lambda web: web.patch(BAD).upgrade("0", "5").wait().patch(NEW).upgrade("0", "5"),
        check_batches,
    ),
    "remediation in another domain": (
        lambda web: web.patch().does(web.web.instance("1").sicken).upgrade("0").wait(MINUTE).upgrade("1"),
        check_domains,
    ),
    "an upgrade while an unavailable instance is protected": (
        lambda web: web.patch(BAD).upgrade("0").wait().does(web.web.instance("0").protect).upgrade("1"),
        check_domains,
    ),
    "an upgrade while an unavailable instance is deallocated": (
        lambda web: web.patch(BAD).upgrade("0").wait().does(web.web.instance("0").deallocate).upgrade("1"),
        check_batches,
    ),
    "an upgrade while maxUnhealthyUpgraded tolerates an instance": (
        lambda web: (
            web.patch(BAD)
            .upgrade("0", "5")
            .wait(4 * MINUTE)
            .does(web.web.instance("5").heal)
            .wait()
            .upgrade("1")
        ),
        check_batches,
    ),
    "as many unavailable instances as allowed, one of them unhealthy before": (
        lambda web: web.patch().does(web.web.instance("9").sicken).upgrade("0"),
        check_max_unavailable,
    ),
    "deallocated instances, which are not unavailable": (
        lambda web: web.patch().does(web.web.instance("9").deallocate).wait().upgrade("0", "5"),
        check_max_unavailable,
    ),
    "remediation beyond maxUnavailable": (
        lambda web: (
            web.patch()
            .does(web.web.instance("0").sicken)
            .does(web.web.instance("1").sicken)
            .does(web.web.instance("2").sicken)
            .upgrade("0")
        ),
        check_max_unavailable,
    ),
    "an incomplete list, and then a complete one": (
        lambda web: partial(web.patch()).look().does(web.azure.faults.disarm).look().upgrade("0"),
        invariants.no_write_follows_from_a_partial_read,
    ),
    "an incomplete list of scale sets": (
        lambda web: partial(web.patch(), "VirtualMachineScaleSets_ListAll").look().upgrade("0"),
        invariants.no_write_follows_from_a_partial_read,
    ),
    "an upgrade while an instance that became unhealthy again is tolerated": (
        lambda web: (
            web.patch().upgrade("0", "5").wait().does(web.web.instance("0").sicken).wait().upgrade("1")
        ),
        check_batches,
    ),
    "an upgrade at the moment when another instance becomes unhealthy": (
        lambda web: web.patch().upgrade("0").wait().does(web.web.instance("0").sicken).upgrade("5"),
        check_batches,
    ),
    "a patch of the image and our tags, with If-Match": (
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
    "the same upgrade after a refusal": (
        lambda web: web.patch().upgrade("77").upgrade("77"),
        invariants.no_step_is_repeated_at_once,
    ),
    "an upgrade without effect after a stale list": (
        lambda web: stale(web.patch()).look().upgrade("0").wait().look().upgrade("0"),
        invariants.every_write_changes_something,
    ),
    "a write before the period without writes": (
        lambda web: web.patch().look(),
        lambda record: invariants.nothing_was_written(record, 1),
    ),
}


@pytest.mark.parametrize(("act", "rule"), ACCEPTED_BY_RECORD.values(), ids=ACCEPTED_BY_RECORD)
def test_an_invariant_of_the_record_accepts(
    act: Callable[[Client], Client], rule: Callable[[Record], None]
) -> None:
    rule(act(Client()).azure.record)


CLOSED = [{"kind": "allow", "schedule": "0 20 * * *", "duration": "1h"}]
URN = ":".join(BASE.values())


def rolled(**rollout: Any) -> Any:
    """The spec of web with NEW and these rollout fields."""
    return spec(rollout=rollout)


def tagged(client: Client, text: str) -> Client:
    client.web.set_tags({"vmss-reconciler-state": text})
    return client


def noted(client: Client, version: str = BAD) -> Client:
    """Write the tags alone, to record that this image failed."""
    digest = Fingerprint.of(PlatformImage(**BASE, version=version)).digest
    tags = {"vmss-reconciler-state": f"v1;failed={digest},{version}"}
    return client.ask("PATCH", body={"tags": tags}).wait(MINUTE)


def sick(client: Client, *ids: str) -> Client:
    for id_ in ids:
        client.web.instance(id_).sicken()
    return client.wait(2 * MINUTE)


def both(client: Client, *, web: Any = None, **fleet: Any) -> Client:
    """Declare NEW for both scale sets."""
    return client.declare(of_all(**fleet), spec("db"), spec(**(web or {})))


def failed_in_db(client: Client) -> Client:
    """An instance of db on the bad image has been unavailable past its timeout, and the daemon has observed it."""
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


REJECTED_BY_SPECS: dict[str, tuple[Callable[[Client], Client], Callable[[Story], None], str]] = {
    "an image that no commit declares": (
        lambda web: web.declare(spec()).patch(BAD),
        spec_invariants.every_image_is_declared_or_was_good,
        "no commit in force declares this image",
    ),
    "an image that was declared until a moment ago": (
        lambda web: web.declare(spec(version=BAD)).wait(MINUTE).declare(spec()).patch(BAD),
        spec_invariants.every_image_is_declared_or_was_good,
        "no commit in force declares this image",
    ),
    "a version of an image whose latest no spec follows": (
        lambda web: web.declare(spec(image={"platform": {**BASE, "sku": "minimal", "version": "latest"}})).patch(),
        spec_invariants.every_image_is_declared_or_was_good,
        "no commit in force declares this image",
    ),
    "a last good image that only a tag names": (
        lambda web: tagged(web.declare(spec()), f"v1;good={URN}:{FIX}").patch(FIX),
        spec_invariants.every_image_is_declared_or_was_good,
        "no instance was observed to run it here",
    ),
    "a change of a suspended scale set": (
        lambda web: web.declare(spec(suspend={"reason": "night"})).patch(),
        spec_invariants.no_write_is_made_during_a_freeze_or_suspension,
        "was in force",
    ),
    "an upgrade during a freeze": (
        lambda web: web.declare(spec()).patch().declare(of_all(freeze=True)).upgrade("0"),
        spec_invariants.no_write_is_made_during_a_freeze_or_suspension,
        "was in force",
    ),
    "a record of a failure during a freeze": (
        lambda web: noted(web.declare(spec(version=BAD)).patch(BAD).declare(of_all(freeze=True))),
        spec_invariants.no_write_is_made_during_a_freeze_or_suspension,
        "was in force",
    ),
    "a second record of the same failure": (
        lambda web: noted(noted(web.declare(spec(version=BAD)).patch(BAD).upgrade("0").wait())),
        spec_invariants.a_failure_is_recorded_once_for_the_image_of_the_model,
        "it was recorded at 09:11:00",
    ),
    "a record of a failure of another image than that of the model": (
        lambda web: noted(web.declare(spec()).patch()),
        spec_invariants.a_failure_is_recorded_once_for_the_image_of_the_model,
        f"the model is on {URN}:{NEW}",
    ),
    "a record of a failure that removes the last good image": (
        lambda web: noted(tagged(web.declare(spec(version=BAD)).patch(BAD), f"v1;good={URN}:{OLD}")),
        spec_invariants.a_failure_is_recorded_once_for_the_image_of_the_model,
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
    "a rollback of a serving instance outside its window": (
        lambda web: (
            tagged(web.declare(spec()).patch().upgrade("0").wait(), f"v1;good={URN}:{OLD}")
            .declare(rolled(windows=CLOSED))
            .patch(OLD)
            .upgrade("0")
        ),
        spec_invariants.windows_hold,
        "no window was open",
    ),
    "remediation with an unproven image outside the window": (
        lambda web: (
            sick(web, "0").declare(rolled(windows=CLOSED)).does(lambda: web.web.set_image(f"{URN}:{NEW}")).upgrade("0")
        ),
        spec_invariants.outside_windows_an_image_is_proven_or_tried_once,
        "the image is not proven here, and no window was open",
    ),
    "a second batch with an image that did not remediate the first": (
        lambda web: (
            sick(web, "0", "1", "2")
            .declare(rolled(windows=CLOSED))
            .does(lambda: web.web.set_image(f"{URN}:{BAD}"))
            .upgrade("0")
            .wait()
            .upgrade("1")
        ),
        spec_invariants.outside_windows_an_image_is_proven_or_tried_once,
        "it was tried already, and no window was open",
    ),
    "a new image that nobody has approved": (
        lambda web: web.declare(rolled(approval="start")).patch(),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "a new image while another one is approved": (
        lambda web: (
            web.declare(rolled(approval="start"))
            .does(lambda: web.web.set_tags({"vmss-reconciler-approved": f"{URN}:{FIX}"}))
            .patch()
        ),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "a second batch before the approval of the canary": (
        lambda web: web.declare(rolled(approval="canary")).patch().upgrade("0").wait().upgrade("1"),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "remediation with an image that nobody has approved": (
        lambda web: (
            sick(web, "0").declare(rolled(approval="start")).does(lambda: web.web.set_image(f"{URN}:{NEW}")).upgrade("0")
        ),
        spec_invariants.approval_holds,
        "nobody has approved this image",
    ),
    "an unhealthy instance gets an image without approval outside the window": (
        lambda web: (
            sick(web, "0", "1", "2")
            .declare(rolled(approval="canary", windows=CLOSED))
            .does(lambda: web.web.set_image(f"{URN}:{NEW}"))
            .upgrade("0")
        ),
        spec_invariants.approval_holds,
        "nobody has approved this image, and no window was open",
    ),
    "an image without approval is tried on many unhealthy instances outside the window": (
        lambda web: sick(web, "0", "1", "2").declare(rolled(approval="canary", windows=CLOSED)).patch(),
        spec_invariants.windows_hold,
        "no window was open",
    ),
    "a first batch larger than the canary": (
        lambda web: web.declare(rolled(canary={"instances": 1})).patch().upgrade("0", "5"),
        spec_invariants.a_canary_goes_first,
        "0, 5 are beyond the canary, which is not healthy yet",
    ),
    "a first batch of another instance than the named canary": (
        lambda web: web.declare(rolled(canary={"instances": ["3"]})).patch().upgrade("0"),
        spec_invariants.a_canary_goes_first,
        "0 are beyond the canary, which is not healthy yet",
    ),
    "a batch before the soak of the last one is over": (
        lambda web: web.declare(rolled(soak="9m")).patch().upgrade("0").wait().upgrade("1"),
        spec_invariants.every_batch_soaks,
        "0 had not been healthy for 0:09:00",
    ),
    "a batch before the soak of the canary is over": (
        lambda web: web.declare(rolled(canary={"instances": 1, "soak": "1h"})).patch().upgrade("0").wait().upgrade("1"),
        spec_invariants.every_batch_soaks,
        "the canary 0 had not been healthy for 1:00:00",
    ),
    "a batch that is too large": (
        lambda web: web.declare(rolled(maxBatch=1)).patch().upgrade("0", "5"),
        spec_invariants.max_batch_is_not_exceeded,
        "2 of 10 at once, at most 1 may be",
    ),
    "a batch of unhealthy instances that is too large": (
        lambda web: sick(web, "0", "5").declare(rolled(maxBatch=1)).patch().upgrade("0", "5"),
        spec_invariants.max_batch_is_not_exceeded,
        "2 of 10 at once, at most 1 may be",
    ),
    "an upgrade of a serving instance beyond maxUnhealthy": (
        lambda web: sick(web, "7", "8", "9").declare(rolled(maxUnhealthy=2)).patch().upgrade("0"),
        spec_invariants.max_unhealthy_is_not_exceeded,
        "7, 8, 9 were unhealthy: at most 2 of 10 may be",
    ),
    "a rollout before that of its dependency": (
        lambda web: both(web, web={"dependsOn": ["db"]}).look("db").patch(),
        spec_invariants.dependencies_and_earlier_waves_are_ready,
        f"db goes first, but its model was on {URN}:{OLD}",
    ),
    "a rollout whose dependency was not observed": (
        lambda web: both(web, web={"dependsOn": ["db"]}).patch(),
        spec_invariants.dependencies_and_earlier_waves_are_ready,
        "db goes first, but was not observed",
    ),
    "a wave while an instance of the previous one is outdated": (
        lambda web: (
            both(web, web={"wave": 1}).patch(of="db").upgrade(*"012345678", of="db").wait().look("db").wait(SECOND).patch()
        ),
        spec_invariants.dependencies_and_earlier_waves_are_ready,
        "db goes first, but 9 of it were outdated",
    ),
    "a wave while an instance of the previous one is unhealthy": (
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
        spec_invariants.dependencies_and_earlier_waves_are_ready,
        "db goes first, but 4 of it were not serving",
    ),
    "a wave before the bake time of the previous one is over": (
        lambda web: (
            web.declare(spec("db", rollout={"bakeTime": "1h"}), spec(wave=1))
            .patch(of="db")
            .upgrade(*"0123456789", of="db")
            .wait()
            .look("db")
            .wait(SECOND)
            .patch()
        ),
        spec_invariants.dependencies_and_earlier_waves_are_ready,
        "db goes first, but 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 of it had not been healthy for 1:00:00",
    ),
    "more rollouts than maxConcurrentRollouts": (
        lambda web: both(web, maxConcurrentRollouts=1).patch(of="db").upgrade("0", of="db").wait(MINUTE).patch(),
        spec_invariants.max_concurrent_rollouts_is_not_exceeded,
        "db are rolling, at most 1 may be",
    ),
    "a second scale set at the same moment as the pilot": (
        lambda web: both(web).ask("PATCH", body=image(), of="db").wait(5 * SECOND).patch(),
        spec_invariants.a_pilot_goes_first,
        "db had not proven the image yet, 0 had",
    ),
    "two rollouts at the same moment with one slot": (
        lambda web: both(web, maxConcurrentRollouts=1).ask("PATCH", body=image(), of="db").wait(5 * SECOND).patch(),
        spec_invariants.max_concurrent_rollouts_is_not_exceeded,
        "db are rolling, at most 1 may be",
    ),
    "a second scale set while the batch of the pilot is unavailable": (
        lambda web: both(web).patch(of="db").upgrade("0", of="db").wait(MINUTE).patch(),
        spec_invariants.a_pilot_goes_first,
        "db had not proven the image yet, 0 had",
    ),
    "a second scale set while the pilot soaks": (
        lambda web: (
            web.declare(spec("db", rollout={"soak": "1h"}), spec()).patch(of="db").upgrade("0", of="db").wait().patch()
        ),
        spec_invariants.a_pilot_goes_first,
        "db had not proven the image yet, 0 had",
    ),
    "the beginning of an image that has failed elsewhere": (
        lambda web: failed_in_db(web).patch(BAD),
        spec_invariants.a_failed_image_is_begun_in_no_other_scale_set,
        "it had failed in db: more than 0",
    ),
    "an upgrade to an image that has failed elsewhere": (
        lambda web: failed_in_db(web).does(lambda: web.web.set_image(f"{URN}:{BAD}")).upgrade("0"),
        spec_invariants.a_failed_image_is_begun_in_no_other_scale_set,
        "it had failed in db: more than 0",
    ),
    "a refused write every two minutes": (
        lambda web: refused(web, 2 * MINUTE, 21),
        spec_invariants.refused_writes_back_off,
        "refused 21 times within the hour",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "message"), REJECTED_BY_SPECS.values(), ids=REJECTED_BY_SPECS)
def test_an_invariant_of_the_specs_rejects(
    act: Callable[[Client], Client], rule: Callable[[Story], None], message: str
) -> None:
    client = act(Client())
    with pytest.raises(AssertionError) as broken:
        rule(client.story)
    assert str(broken.value).endswith(message)


ACCEPTED_BY_SPECS: dict[str, Callable[[Client], Client]] = {
    "a version of an image whose latest the spec follows": lambda web: web.declare(
        spec(image={"platform": {**BASE, "version": "latest"}})
    ).patch(),
    "the last good image, which runs here": lambda web: (
        tagged(web.declare(spec()).patch().upgrade("0").wait(), f"v1;good={URN}:{OLD}").patch(OLD)
    ),
    "a rollback of the model outside its window": lambda web: (
        tagged(web.declare(spec()).patch().upgrade("0").wait(), f"v1;good={URN}:{OLD}")
        .declare(rolled(windows=CLOSED, approval="start"))
        .patch(OLD)
    ),
    "a failure that is recorded again after another writer removed it": lambda web: noted(
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
    "a fix for an unavailable instance outside its window": lambda web: (
        web.declare(spec(version=BAD))
        .patch(BAD)
        .upgrade("0")
        .wait()
        .declare(spec(version=FIX, rollout={"windows": CLOSED}))
        .patch(FIX)
    ),
    "remediation with an image that runs here, outside the window": lambda web: (
        sick(web.declare(spec()).patch().upgrade("0", "5").wait(), "1").declare(rolled(windows=CLOSED)).upgrade("1")
    ),
    "one batch outside the window while many are unhealthy": lambda web: (
        sick(web, "0", "1", "2").declare(rolled(windows=CLOSED)).patch().upgrade("0")
    ),
    "the canary before it is approved": lambda web: (
        web.declare(rolled(approval="canary", canary={"instances": 1})).patch().upgrade("0")
    ),
    "the canary before it is approved, while many instances are unhealthy": lambda web: (
        sick(web, "0", "1", "2").declare(rolled(approval="canary")).patch().upgrade("0")
    ),
    "all batches once the image is approved": lambda web: (
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
    "a wave after the previous one, with instances left out": lambda web: (
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
    "a scale set after the pilot, whose first instance was evicted after the second batch": lambda web: (
        web.declare(spec("db", rollout={"soak": "5m"}), spec())
        .patch(of="db")
        .upgrade("0", of="db")
        .wait()
        .upgrade("1", of="db")
        .wait(3 * MINUTE)
        .does(web.db.instance("0").deallocate)
        .patch()
    ),
    "a scale set after the pilot, whose first batch followed a partial read": lambda web: (
        partial(both(web).patch(of="db"))
        .look("db")
        .upgrade("0", of="db")
        .does(web.azure.faults.disarm)
        .wait()
        .look("db")
        .upgrade("1", of="db")
        .patch()
    ),
    "a second rollout with two slots": lambda web: (
        both(web, maxConcurrentRollouts=2).patch(of="db").upgrade("0", of="db").wait().upgrade("1", of="db").patch()
    ),
    "another image than the one that has failed elsewhere": lambda web: failed_in_db(web).declare(spec()).patch(),
    "an image that has failed elsewhere within maxFailedRollouts": lambda web: (
        failed_in_db(web).declare(of_all(maxFailedRollouts=1)).patch(BAD)
    ),
    "a refused write every five minutes": lambda web: refused(web, 5 * MINUTE, 30),
}  # fmt: skip


@pytest.mark.parametrize("act", ACCEPTED_BY_SPECS.values(), ids=ACCEPTED_BY_SPECS)
def test_all_invariants_of_the_specs_accept(act: Callable[[Client], Client]) -> None:
    story = act(Client()).story
    assert story.writes, "no write was checked"
    for rule in spec_invariants.RULES:
        rule(story)
