"""Who changed a model last, as a sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any, NoReturn

import pytest

from reconciler.azure.activity_log import LastWrite, ModelWrite, PartialSearch, RightMissing
from reconciler.daemon.last_change import LastChanges, last_change
from reconciler.spec.scale_set import Target

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
        pytest.param(None, "you", "by nobody within 89 days, according to the activity log", id="no change"),
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

    def of(self, name: str) -> Any:
        return self.changes.of(Target("s", "shop", name))["message"]


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
            changes.of(Target("s", "shop", "web"))
