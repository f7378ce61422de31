"""The invariants of a rollout fail where a client breaks them, and only there."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.simulator import SUBSCRIPTION, Partial, Record, Request, Simulator, Stale, VirtualClock
from reconciler.spec.scale_set import By
from tests import invariants
from tests.invariants import Lost
from tests.stories.world import BAD, BASE, NEW, OLD

SET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"
MINUTE = timedelta(minutes=1)
LIST = "/virtualMachines?$expand=instanceView"


class Client:
    """Somebody who asks Azure for whatever a case says: ten instances of `web` in five update domains."""

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
        declared = {"images": {**versions, "bad": bad}, "scaleSets": [found]}
        self.azure = Simulator.load(declared, self.clock)
        self.web = self.azure.scale_set("web")

    def ask(self, method: str, path: str = "", body: Any = None) -> "Client":
        url = f"https://arm.test{SET}{path}{'&' if '?' in path else '?'}api-version=2026-04-01"
        content = b"" if body is None else json.dumps(body).encode()
        self.azure.handle(Request(method, url, {"Authorization": "Bearer t"}, content))
        return self

    def patch(self, version: str = NEW) -> "Client":
        reference = {"imageReference": {**BASE, "version": version}}
        body = {"properties": {"virtualMachineProfile": {"storageProfile": reference}}}
        return self.ask("PATCH", body=body).wait(MINUTE)

    def look(self) -> "Client":
        return self.ask("GET").ask("GET", "/virtualMachines?$expand=instanceView")

    def upgrade(self, *ids: str) -> "Client":
        return self.ask("POST", "/manualupgrade", {"instanceIds": ids})

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
