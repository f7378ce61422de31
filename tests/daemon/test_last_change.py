"""Who changed a model last, as a sentence."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import Any, NoReturn

import pytest

from reconciler.azure.activity_log import LastWrite, ModelWrite, PartialSearch, RightMissing, last_model_write
from reconciler.azure.session import Session
from reconciler.daemon.commands import LoopCommands
from reconciler.daemon.last_change import LastChanges, last_change
from reconciler.spec.scale_set import Target
from tests.stories.world import World, fleet, scale_set, spec
from tests.token import Token

WRITE = "Microsoft.Compute/virtualMachineScaleSets/write"
FOUND = ModelWrite("ada@example.com", datetime(2026, 1, 5, 9, tzinfo=UTC), WRITE, "Succeeded", "c-1", False)
END = f"at 2026-01-05 09:00 UTC: {WRITE}, Succeeded"


@pytest.mark.parametrize(
    ("found", "reader", "message"),
    [
        pytest.param(FOUND, "this daemon", f"by ada@example.com, not this daemon, {END}", id="somebody else"),
        pytest.param(
            replace(FOUND, by="f81d", is_own=True), "this daemon", f"by this daemon (f81d), {END}", id="we"
        ),
        pytest.param(replace(FOUND, is_own=True), "you", f"by you (ada@example.com), {END}", id="the reader"),
        pytest.param(replace(FOUND, is_own=None), "you", f"by ada@example.com, {END}", id="unknown whose"),
        pytest.param(
            replace(FOUND, by=""), "you", f"by an unnamed caller, not you, {END}", id="without a name"
        ),
        pytest.param(
            None,
            "you",
            "by nobody within 89 days, according to the activity log, which lags by minutes",
            id="no change",
        ),
        pytest.param(
            PartialSearch(1000, datetime(2026, 1, 5, 9, tzinfo=UTC)),
            "you",
            "unknown: no write among the newest 1,000 events of the activity log, back to 2026-01-05 09:00 UTC",
            id="a log with more events than are read",
        ),
    ],
)
def test_a_change_is_one_sentence(found: LastWrite, reader: str, message: str) -> None:
    assert last_change(lambda: found, reader)["message"] == message


LATER = FOUND.at + timedelta(minutes=5)
LAGS = "at 2026-01-05 09:05 UTC, by this fleet; not in the activity log yet, which lags by minutes"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        pytest.param(None, LAGS, id="an empty log"),
        pytest.param(
            FOUND,
            f"{LAGS}; the last change in the log is by ada@example.com, not this daemon, {END}",
            id="only an earlier change in the log",
        ),
        pytest.param(
            replace(FOUND, at=LATER - timedelta(seconds=59)),
            f"by ada@example.com, not this daemon, at 2026-01-05 09:04 UTC: {WRITE}, Succeeded",
            id="the same change by another clock",
        ),
        pytest.param(PartialSearch(1000, FOUND.at), LAGS, id="a log whose newest events do not include it"),
        pytest.param(
            PartialSearch(1000, LATER + timedelta(seconds=1)),
            "unknown: no write among the newest 1,000 events of the activity log, back to 2026-01-05 09:05 UTC",
            id="a log that was not read back to it",
        ),
    ],
)
def test_a_change_that_the_log_may_not_show_yet(found: LastWrite, message: str) -> None:
    assert last_change(lambda: found, "this daemon", LATER)["message"] == message


def test_a_write_of_hours_ago_is_not_awaited_in_the_log() -> None:
    """The tags may have been copied from another scale set."""
    log = Log()
    written = FOUND.at + timedelta(hours=1)
    log.now = written + timedelta(minutes=29)
    assert "not in the activity log yet" in log.of("web", written)
    log.now = written + timedelta(minutes=30)
    assert log.of("web", written).startswith("by ada@example.com")


def test_a_daemon_knows_its_own_write_before_the_log_shows_it() -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    session = Session(credential=Token(), transport=world.azure.transport(), now=world.clock.now)
    changes = LastChanges(partial(last_model_write, session), world.clock.now)
    commands = LoopCommands(world.reconciler, changes)

    def changed() -> str:
        found = commands.last_change("web")
        assert found
        return str(found["message"])

    world.run(lambda: world.has_upgraded(1))
    assert re.fullmatch(
        r"at .* UTC, by this fleet; not in the activity log yet, which lags by minutes", changed()
    )
    world.restart()
    world.rest(timedelta(minutes=1))
    commands = LoopCommands(world.reconciler, changes)
    assert "not in the activity log yet" in changed(), "the tag says when the rollout began"
    world.rest(timedelta(minutes=5))
    assert re.fullmatch(rf"by \S+, at .* UTC: {WRITE}, Succeeded", changed())


def test_a_change_is_data_too() -> None:
    assert {
        name: value for name, value in last_change(lambda: FOUND, "you").items() if name != "message"
    } == {
        "by": "ada@example.com",
        "at": "2026-01-05T09:00:00+00:00",
        "operation": WRITE,
        "status": "Succeeded",
        "correlationId": "c-1",
        "isOwn": False,
    }


def test_a_failure_is_a_sentence_and_no_error() -> None:
    def read() -> NoReturn:
        raise RightMissing

    assert last_change(read, "you") == {
        **dict.fromkeys(("by", "at", "operation", "status", "correlationId", "isOwn")),
        "message": "unknown: the role lacks Microsoft.Insights/eventtypes/values/read",
    }


class Log:
    """An activity log that notes who asks, and answers when it is told to."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.asked: list[str] = []
        self.now = datetime(2026, 1, 5, 9, tzinfo=UTC)
        self.answers = Event()
        self.is_full = Event()
        if not is_slow:
            self.answers.set()
        self.changes = LastChanges(self._read, lambda: self.now)

    def _read(self, target: Target) -> LastWrite:
        self.asked.append(target.name)
        if len(self.asked) == 4:
            self.is_full.set()
        assert self.answers.wait(30)
        return FOUND

    def of(self, name: str, written: datetime | None = None) -> Any:
        return self.changes.of(Target("s", "shop", name), written)["message"]


def test_an_answer_is_given_again_for_half_a_minute_and_only_for_its_scale_set() -> None:
    log = Log()
    for seconds in (0, 29, 1):
        log.now += timedelta(seconds=seconds)
        log.of("web")
    assert log.asked == ["web", "web"]
    log.of("api")
    assert log.asked == ["web", "web", "api"]


def test_many_clients_of_a_slow_log_take_only_a_few_threads() -> None:
    log = Log(is_slow=True)
    asking = [Thread(target=log.of, args=(f"web-{number}",), daemon=True) for number in range(4)]
    for each in asking:
        each.start()
    assert log.is_full.wait(30)
    busy = "unknown: the daemon is busy reading the log for others; try again in a few seconds"
    assert log.of("web") == busy
    log.answers.set()
    for each in asking:
        each.join()
    assert log.of("web").startswith("by ada@example.com"), "that it was busy is not kept"
    assert len(log.asked) == 5


def test_a_search_that_breaks_frees_its_place() -> None:
    def read(_: Target) -> NoReturn:
        raise KeyError

    changes = LastChanges(read, lambda: datetime(2026, 1, 5, 9, tzinfo=UTC))
    for _ in range(10):
        with pytest.raises(KeyError):
            changes.of(Target("s", "shop", "web"), None)
