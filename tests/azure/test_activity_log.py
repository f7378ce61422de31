"""Who changed a model last, from Azure's activity log."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.acts.pause import write_pause
from reconciler.azure.activity_log import LastWrite, ModelWrite, PartialSearch, last_model_write
from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure, MalformedResponse, TooManyRequests, Unreachable
from reconciler.azure.session import Session
from reconciler.rollout.observed import Model
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import PersistedState
from reconciler.simulator import (
    OperationFails,
    Page,
    Simulator,
    Slow,
    Status,
    Throttled,
    Timeout,
    VirtualClock,
)
from reconciler.simulator.tokens import principal
from tests.azure.conftest import TARGET
from tests.stories.world import fleet, scale_set
from tests.token import ApplicationToken, Token

LOG = "ActivityLogs_List"
WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"


class Writers:
    """Two identities, ours and another, that write the tags of one scale set."""

    def __init__(self, **top: Any) -> None:
        self.clock = VirtualClock()
        self.azure = Simulator.load(fleet(scale_set(capacity=2), timings={"log": "1m"}, **top), self.clock)
        self.ours, self.other = self.session("daemon"), self.session("terraform")

    def session(self, client: str) -> Session:
        return Session(
            credential=ApplicationToken(client), transport=self.azure.transport(), now=self.clock.now
        )

    def write(self, session: Session) -> datetime:
        """Write the tags, and wait until the log has it. Returns when that was."""
        compute, at = Compute(session), self.clock.now()
        model = compute.model(TARGET, Priority.ROLLOUT)
        assert isinstance(model, Model)
        compute.persist(TARGET, model, PersistedState(fleet=f"of {at:%H:%M:%S}"))
        self.clock.advance(timedelta(minutes=5))
        return at

    def upgrade(self, times: int) -> None:
        """Upgrade an instance as often, and wait until the log has it."""
        for _ in range(times):
            self.ours.client(TARGET.subscription).virtual_machine_scale_sets.begin_update_instances(
                TARGET.resource_group, TARGET.name, {"instanceIds": ["0"]}, polling=False
            )
            self.clock.advance(timedelta(minutes=5))

    def last(self) -> LastWrite:
        return last_model_write(self.ours, TARGET)

    def last_of(self, *rows: Any) -> LastWrite:
        """The last write if the log has only these rows."""
        self.azure.faults.arm(LOG, Page(200, json.dumps({"value": rows})))
        return self.last()


def event(at: str, by: str = "ada@example.com", status: str = "Succeeded", **more: Any) -> dict[str, Any]:
    """An event of a write of the model, as the log sends it."""
    return {
        "eventTimestamp": f"2026-01-05T{at}Z",
        "operationName": {"value": WRITE},
        "caller": by,
        "claims": {},
        "status": {"value": status},
        **more,
    }


@pytest.mark.parametrize(
    ("writers", "by", "is_own"),
    [
        pytest.param(("terraform", "daemon"), "daemon", True, id="ours, after another one"),
        pytest.param(("daemon", "terraform"), "terraform", False, id="another one, after ours"),
    ],
)
def test_the_last_writer_is_told_apart_from_us(writers: tuple[str, ...], by: str, is_own: bool) -> None:
    world = Writers()
    at = [world.write({"daemon": world.ours, "terraform": world.other}[each]) for each in writers]
    found = world.last()
    assert isinstance(found, ModelWrite)
    assert (found.by, found.at, found.is_own) == (principal(by), at[-1], is_own)
    assert (found.operation, found.status) == (WRITE, "Succeeded")


def test_a_write_that_failed_changed_nothing() -> None:
    world = Writers()
    at = world.write(world.ours)
    world.azure.faults.arm("VirtualMachineScaleSets_Update", OperationFails("Broken", "it broke"), times=None)
    world.write(world.other)
    found = world.last()
    assert isinstance(found, ModelWrite)
    assert (found.at, found.is_own) == (at, True)


def test_an_upgrade_is_no_change_of_the_model() -> None:
    world = Writers()
    at = world.write(world.other)
    world.upgrade(1)
    found = world.last()
    assert isinstance(found, ModelWrite)
    assert found.at == at


def test_a_log_without_a_write_of_the_model_has_none() -> None:
    assert Writers().last() is None


def test_a_write_on_the_first_page_costs_one_request_of_the_fields_that_are_read() -> None:
    world = Writers(page=3)
    world.write(world.other)
    world.write(world.ours)
    before = len(world.azure.record.requests)
    assert world.last()
    (asked,) = world.azure.record.requests[before:]
    assert (asked.operation, asked.query["api-version"]) == (LOG, "2015-04-01")
    assert asked.query["$select"] == (
        "caller,claims,correlationId,eventTimestamp,operationId,operationName,status"
    )


@pytest.mark.parametrize("page", [1, 2, 3, 4, 50], ids="{} events on a page".format)
def test_a_write_is_found_behind_the_events_of_upgrades(page: int) -> None:
    world = Writers(page=page)
    at = world.write(world.other)
    world.upgrade(4)
    found = world.last()
    assert isinstance(found, ModelWrite)
    assert (found.at, found.is_own, found.status) == (at, False, "Succeeded")


def test_the_failure_of_a_write_may_be_on_a_newer_page_than_its_start() -> None:
    world = Writers(page=1)
    at = world.write(world.ours)
    world.azure.faults.arm("VirtualMachineScaleSets_Update", OperationFails("Broken", "it broke"), times=None)
    world.write(world.other)
    found = world.last()
    assert isinstance(found, ModelWrite)
    assert (found.at, found.is_own) == (at, True)


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        pytest.param(Slow(timedelta(seconds=2.5)), 2, id="seconds are over"),
        pytest.param(Slow(timedelta(seconds=1)), 4, id="seconds are over after more pages"),
        pytest.param(None, 20, id="too many pages"),
    ],
)
def test_the_search_ends_after_seconds_and_pages(fault: Any, events: int) -> None:
    world = Writers(page=1)
    world.write(world.other)
    world.upgrade(30)
    if fault:
        world.azure.faults.arm(LOG, fault, times=None)
    began = world.clock.now()
    found = world.last()
    assert isinstance(found, PartialSearch)
    assert found.events == events
    assert timedelta() < began - found.back_to < timedelta(minutes=5 * events)
    assert world.clock.now() - began <= timedelta(seconds=5)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Timeout(), id="no answer"),
        pytest.param(Throttled(timedelta(minutes=10), ""), id="throttled"),
        pytest.param(Page(200, "<html>"), id="no JSON"),
    ],
)
def test_what_was_read_before_a_failure_is_said(fault: Any) -> None:
    world = Writers(page=2)
    world.write(world.other)
    world.upgrade(3)
    world.azure.faults.arm(LOG, fault, after=1)
    found = world.last()
    assert isinstance(found, PartialSearch)
    assert found.events == 2


def test_pages_that_form_a_cycle_are_read_once() -> None:
    world = Writers()
    body = {"value": [event("09:00:00", operationName={"value": "Other/action"})], "nextLink": "/next"}
    world.azure.faults.arm(LOG, Page(200, json.dumps(body)))
    found = world.last()
    assert isinstance(found, PartialSearch)
    assert found.events == 1


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        pytest.param(
            Status(403, "AuthorizationFailed", "The client 'x' does not have authorization"),
            AzureFailure,
            "the role lacks Microsoft.Insights/eventtypes/values/read",
            id="without the right",
        ),
        pytest.param(
            Status(403, "RequestDisallowedByPolicy", "no"),
            AzureFailure,
            'Azure returned RequestDisallowedByPolicy ("no")',
            id="another refusal",
        ),
        pytest.param(Timeout(), Unreachable, "Azure could not be reached", id="no answer"),
        pytest.param(Page(200, "<html>"), MalformedResponse, "is not JSON", id="no JSON"),
        pytest.param(Page(200, "[]"), MalformedResponse, "is not a JSON object", id="no object"),
        pytest.param(Page(200, '{"value": 7}'), MalformedResponse, "value", id="no list"),
    ],
)
def test_a_failure_of_the_log_is_an_azure_failure(fault: Any, kind: type[AzureFailure], message: str) -> None:
    world = Writers()
    world.azure.faults.arm(LOG, fault)
    with pytest.raises(kind) as caught:
        world.last()
    assert message in str(caught.value)


def test_a_throttled_log_holds_no_other_read_back() -> None:
    world = Writers()
    world.azure.faults.arm(LOG, Throttled(timedelta(minutes=10), ""))
    with pytest.raises(TooManyRequests):
        world.last()
    assert isinstance(Compute(world.ours).model(TARGET, Priority.ROUTINE), Model)


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(str.upper, id="in upper case"),
        pytest.param(str.lower, id="in lower case"),
    ],
)
def test_the_names_of_operations_and_resources_are_compared_regardless_of_case(
    spell: Callable[[str], str],
) -> None:
    world = Writers()
    found = world.last_of(event("09:00:00.1234567", status="Started", operationName={"value": spell(WRITE)}))
    assert isinstance(found, ModelWrite)
    assert (found.by, found.status, found.is_own) == ("ada@example.com", "Started", False)


def test_a_token_without_claims_leaves_open_whose_write_it_was() -> None:
    world = Writers()
    world.write(world.other)

    opaque = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    found = last_model_write(opaque, TARGET)
    assert isinstance(found, ModelWrite)
    assert found.is_own is None


def test_the_search_goes_back_as_far_as_azure_allows() -> None:
    world = Writers()
    world.last()
    wanted = world.azure.record.requests[-1].query["$filter"]
    since = datetime.fromisoformat(wanted.split("'")[1])
    assert timedelta(days=88) < world.clock.now() - since < timedelta(days=90)
    assert urlsplit(wanted.split("'")[3]).path == TARGET.id


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(7, id="no object"),
        pytest.param(None, id="null"),
        pytest.param({"operationName": 7}, id="an operation without a name"),
        pytest.param(
            {"operationName": {"value": "Other/action"}, "eventTimestamp": 7}, id="another operation"
        ),
        pytest.param(event("09:30:00", claims="x"), id="claims that are a text"),
    ],
)
def test_an_event_that_cannot_be_read_is_left_out(row: Any) -> None:
    found = Writers().last_of(row, event("09:00:00"))
    assert isinstance(found, ModelWrite)
    assert (found.at.hour, found.at.minute) == (9, 0)


def started_and_ended(
    minute: int, operation: str, correlation: str, by: str = "terraform", end: str = "Succeeded"
) -> list[dict[str, Any]]:
    """The two events of a write, the newest first."""
    ids = {"operationId": operation, "correlationId": correlation}
    return [
        event(f"09:{minute:02}:30", by, end, **ids),
        event(f"09:{minute:02}:00", by, "Started", **ids),
    ]


@pytest.mark.parametrize(
    ("rows", "by", "minute"),
    [
        pytest.param(
            [
                *started_and_ended(2, "retry", "run"),
                *started_and_ended(1, "conflict", "run", end="Failed"),
                *started_and_ended(0, "ours", "other", by="daemon"),
            ],
            "terraform",
            2,
            id="a write that failed and its retry in one run of Terraform",
        ),
        pytest.param(
            [
                *started_and_ended(30, "second", "deployment"),
                *started_and_ended(15, "ours", "other", by="daemon"),
                *started_and_ended(0, "first", "deployment"),
            ],
            "terraform",
            30,
            id="two writes of one deployment around ours",
        ),
        pytest.param(
            [
                *started_and_ended(1, "", "second", end="Failed"),
                *started_and_ended(0, "", "first", by="daemon"),
            ],
            "daemon",
            0,
            id="only correlation ids",
        ),
        pytest.param(
            [event("09:01:00", "ada", "Failed"), event("09:00:00", "bob")], "bob", 0, id="no ids at all"
        ),
    ],
)
def test_the_events_of_one_write_are_told_from_those_of_the_same_run(
    rows: list[dict[str, Any]], by: str, minute: int
) -> None:
    found = Writers().last_of(*rows)
    assert isinstance(found, ModelWrite)
    assert (found.by, found.at.minute) == (by, minute)


def test_a_pause_is_no_write_of_the_model() -> None:
    world = Writers(permissions={"actions": ["*"]})
    at = world.write(world.ours)
    write_pause(world.other, Pause("checkout is down", "ada", at), TARGET.id)
    world.clock.advance(timedelta(minutes=5))
    found = world.last()
    assert isinstance(found, ModelWrite)
    assert (found.at, found.is_own) == (at, True)
