"""Reads whether the fleet is paused, by the tag that the Fleet names or by an order to this daemon."""

from collections.abc import Collection
from concurrent.futures import Future
from datetime import datetime, timedelta
from threading import Lock, Thread

from reconciler.azure.failure import AzureFailure
from reconciler.daemon.interfaces import AzureClient
from reconciler.rollout.pause import NOT_PAUSED, FleetPause, Pause
from reconciler.spec.fleet import PauseTag

_LONGEST_UNREAD = timedelta(minutes=5)  # while the last value holds
# Between two reads that fail. Otherwise each write would wait for a request that hangs, until its facts are
# too old.
_RETRY_DELAY = timedelta(seconds=30)
# That one read is waited for. A sweep goes on with the last value then, and the read goes on beside it.
_PATIENCE = 5.0  # seconds


class PauseReader:
    """Reads the pause of the fleet. Safe to share between threads.

    Threads that ask at the same time share one request.
    """

    def __init__(self, azure: AzureClient, patience: float = _PATIENCE) -> None:
        self._azure = azure
        self._patience = patience
        self._pending: _Pending | None = None
        self._reading = Lock()
        self._tag: PauseTag | None = None
        self._last: Pause | None = None
        self._read_at: datetime | None = None  # when the last read that succeeded began
        self._asked_at: datetime | None = None  # when the last read began
        self._failure: AzureFailure | None = None  # of the last read
        self._told: Pause | None = None

    def tell(self, pause: Pause | None) -> None:
        """Pause the fleet until the tag shows this pause. None lifts the pause that was ordered here.

        Only this process remembers an ordered pause. The call waits for no request, so that a person can
        pause a fleet even while Azure does not respond.
        """
        self._told = pause

    def lift(self, shown: Collection[Pause]) -> Pause | None:
        """Lift the pause that was ordered here if it is one of `shown`. Returns the pause that stays."""
        told = self._told
        if told in shown and self._told is told:
            self._told = None
        return self._told

    def read(self, tag: PauseTag | None) -> FleetPause:
        """The pause of the fleet, read now. `tag` is None if the Fleet names no resource group."""
        return self._read(tag, timedelta())

    def read_before_write(self, tag: PauseTag | None) -> FleetPause:
        """The pause of the fleet, read now unless a pause was ordered here or the last read just failed."""
        return FleetPause(told) if (told := self._told) else self._read(tag, _RETRY_DELAY)

    def _read(self, tag: PauseTag | None, retry_delay: timedelta) -> FleetPause:
        asked = self._azure.now()
        with self._reading:
            if tag != self._tag:
                self._tag, self._last, self._read_at = tag, None, None
                self._asked_at, self._failure, self._pending = None, None, None
            self._take_answer(0)
            if tag and self._is_due(asked, retry_delay):
                self._ask(tag)
            return self._known(self._azure.now())

    def _is_due(self, asked: datetime, retry_delay: timedelta) -> bool:
        """Whether no read has begun since `asked`, and none has failed within `retry_delay` before it."""
        if self._asked_at is None:
            return True
        return self._asked_at < (asked - retry_delay if self._failure else asked)

    def _ask(self, tag: PauseTag) -> None:
        """Begin to read the pause and wait for the result, unless an earlier attempt is still hanging."""
        self._asked_at = self._azure.now()
        if self._pending is None:
            self._pending = _Pending(self._azure, tag, self._asked_at)
            self._take_answer(self._patience)
        if self._pending is not None:
            self._failure = AzureFailure(f"Azure did not answer within {self._patience:g} s")

    def _take_answer(self, patience: float) -> None:
        """Record the answer if the attempt ends within `patience` seconds."""
        pending = self._pending
        if pending is None or not pending.has_ended(patience):
            return
        self._pending = None
        try:
            self._last, self._read_at, self._failure = pending.answer(), pending.began, None
        except AzureFailure as failure:
            self._failure = failure
        # The tag is read again by every process, so it has the last word on what only this one was told.
        told = self._told
        if told and self._last and self._last.at == told.at and self._told is told:
            self._told = None

    def _known(self, now: datetime) -> FleetPause:
        told = self._told
        if told or self._tag is None:
            return FleetPause(told)
        if self._read_at is None:
            what = f"the pause tag of resource group {self._tag.resource_group}"
            return FleetPause(unknown=f"{what} has not been read since the daemon started: {self._failure}")
        if self._last:
            return FleetPause(self._last)
        return FleetPause(unread_since=self._read_at) if now - self._read_at > _LONGEST_UNREAD else NOT_PAUSED


class _Pending:
    """A read in its own thread. The process can exit without waiting for it."""

    def __init__(self, azure: AzureClient, tag: PauseTag, began: datetime) -> None:
        self.tag, self.began = tag, began
        self._answer: Future[Pause | None] = Future()
        self._thread = Thread(target=self._read, args=(azure,), name="pause-tag", daemon=True)
        self._thread.start()

    def _read(self, azure: AzureClient) -> None:
        try:
            self._answer.set_result(azure.fleet_pause(self.tag))
        except BaseException as error:
            self._answer.set_exception(error)

    def has_ended(self, patience: float) -> bool:
        """Wait for up to `patience` seconds. Returns whether the attempt has ended."""
        self._thread.join(patience)
        return not self._thread.is_alive()

    def answer(self) -> Pause | None:
        """The pause that was read. Raises AzureFailure if it could not be read."""
        return self._answer.result()
