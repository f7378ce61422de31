"""What the daemon knows of a pause of the fleet: by the tag, and by what it was told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Event, Thread
from time import sleep
from typing import cast

from reconciler.azure.failure import Unreachable
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.pause_reader import PauseReader
from reconciler.rollout.pause import NOT_PAUSED, FleetPause, Pause
from reconciler.spec.fleet import PauseTag
from tests.build import NOW

TAG, OTHER = PauseTag("s", "shop"), PauseTag("s", "ops")
ADA, BOB = Pause("down", "ada", NOW), Pause("test", "bob", NOW + timedelta(minutes=1))
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Azure:
    """One resource group, and a clock that is moved."""

    def __init__(self) -> None:
        self.at = NOW
        self.tag: Pause | None = None
        self.is_down = False
        self.reads = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return self.at

    def fleet_pause(self, _tag: PauseTag) -> Pause | None:
        self.reads += 1
        self.meanwhile()
        if self.is_down:
            raise Unreachable("Azure is down")
        return self.tag

    def reader(self, patience: float = 10) -> PauseReader:
        return PauseReader(cast("AzureClient", self), patience)


def test_a_read_that_hangs_is_not_waited_for_and_counts_when_it_ends() -> None:
    azure, answered = Azure(), Event()
    azure.tag, reader = ADA, azure.reader(patience=0.5)
    assert reader.read(TAG) == FleetPause(ADA)
    azure.meanwhile = lambda: answered.wait(10)
    for _ in range(3):
        azure.at += MINUTE
        assert reader.read(TAG) == FleetPause(ADA), "the last value holds"
    assert azure.reads == 2, "one read hangs, and no other one is begun beside it"
    azure.tag = BOB
    answered.set()
    found = NOT_PAUSED
    for _ in range(1000):
        if (found := reader.read_before_write(TAG)) == FleetPause(BOB):
            break
        azure.at += MINUTE
        sleep(0.01)  # the read that hung ends in its own thread
    assert found == FleetPause(BOB)


def test_a_first_read_that_hangs_counts_as_a_pause() -> None:
    azure, answered = Azure(), Event()
    azure.meanwhile = lambda: answered.wait(10)
    found = azure.reader(patience=0.01).read(TAG)
    answered.set()
    assert "has not been read since the daemon started: Azure did not answer within 0.01 s" in found.unknown


def test_a_fleet_without_a_tag_costs_no_request() -> None:
    azure = Azure()
    assert azure.reader().read(None) == NOT_PAUSED
    assert azure.reads == 0


def test_what_the_daemon_was_told_holds_until_the_tag_shows_it() -> None:
    azure = Azure()
    reader = azure.reader()
    reader.tell(ADA)
    assert reader.read(TAG) == FleetPause(ADA), "the tag is not written yet"
    azure.at += SECOND
    azure.tag = ADA
    assert reader.read(TAG) == FleetPause(ADA)
    azure.at += SECOND
    azure.tag = None
    assert reader.read(TAG) == NOT_PAUSED, "whoever removes the tag resumes every daemon"


def test_what_the_daemon_was_told_waits_for_no_request() -> None:
    azure, hanging, answered = Azure(), Event(), Event()

    def hang() -> None:
        hanging.set()
        answered.wait(10)

    azure.meanwhile = hang
    reader = azure.reader()
    thread = Thread(target=reader.read, args=(TAG,))
    thread.start()
    hanging.wait(10)
    reader.tell(ADA)
    assert reader.read_before_write(TAG) == FleetPause(ADA)
    assert thread.is_alive(), "the read still hangs"
    answered.set()
    thread.join()


def test_another_pause_on_the_tag_does_not_lift_what_was_told() -> None:
    azure = Azure()
    reader = azure.reader()
    reader.tell(ADA)
    azure.tag = BOB
    reader.read(TAG)
    azure.at += SECOND
    azure.tag = None
    assert reader.read(TAG) == FleetPause(ADA)
    reader.tell(None)
    assert reader.read_before_write(TAG) == NOT_PAUSED


def test_the_last_value_holds_for_five_minutes() -> None:
    azure = Azure()
    reader = azure.reader()
    assert reader.read(TAG) == NOT_PAUSED
    azure.is_down = True
    azure.at = NOW + 5 * MINUTE
    assert reader.read(TAG) == NOT_PAUSED
    azure.at += SECOND
    assert reader.read(TAG) == FleetPause(unread_since=NOW)


def test_a_pause_holds_however_long_it_cannot_be_read() -> None:
    azure = Azure()
    azure.tag = ADA
    reader = azure.reader()
    reader.read(TAG)
    azure.is_down = True
    azure.at += timedelta(days=1)
    assert reader.read(TAG) == FleetPause(ADA)


def test_a_tag_elsewhere_has_never_been_read() -> None:
    azure = Azure()
    reader = azure.reader()
    assert reader.read(TAG) == NOT_PAUSED
    azure.is_down = True
    found = reader.read(OTHER)
    assert (found.pause, "ops" in found.unknown, "Azure is down" in found.unknown) == (None, True, True)


def test_after_a_failed_read_a_write_does_not_ask_again_at_once() -> None:
    azure = Azure()
    azure.is_down = True
    reader = azure.reader()
    reader.read(TAG)
    for seconds, reads in ((10, 1), (29, 1), (31, 2)):
        azure.at = NOW + seconds * SECOND
        reader.read_before_write(TAG)
        assert azure.reads == reads, seconds
    azure.at += SECOND
    reader.read(TAG)
    assert azure.reads == 3, "a sweep always asks"


def test_writes_at_the_same_time_share_a_read_that_began_after_they_asked() -> None:
    azure = Azure()
    reader = azure.reader()
    together = Barrier(20)

    def ask() -> None:
        together.wait()
        reader.read_before_write(TAG)

    threads = [Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert azure.reads == 1
    azure.at += SECOND
    reader.read_before_write(TAG)
    assert azure.reads == 2


def test_a_read_that_began_before_a_write_asked_is_not_shared() -> None:
    """The pause may have been ordered in between."""
    azure = Azure()
    reader = azure.reader()
    reader.read(TAG)
    azure.at += timedelta(milliseconds=1)
    azure.tag = replace(ADA)
    assert reader.read_before_write(TAG) == FleetPause(ADA)
