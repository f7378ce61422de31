"""Runs the checks of a spec and caches each result for a few seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from reconciler.checks.answer import NoAnswer, ask
from reconciler.checks.reach import Reach
from reconciler.checks.verdict import CheckVerdict, endpoint, request_url, verdict
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.spec.check import Check, PrometheusCheck

# One result serves all scale sets that a sweep finds ready for a batch.
_KEPT = timedelta(seconds=5)
_PATIENCE = timedelta(seconds=5)
_MOST = 1 << 20  # bytes; the response to a query that passes has a few hundred


class Checks:
    """The results of checks. Thread-safe: concurrent calls for one check share one request.

    `reach` limits the addresses that requests may be sent to. If `reach` is None, no request is sent and
    every gate is open, because a spec that has not been merged yet can contain any URL.
    """

    def __init__(
        self, now: Callable[[], datetime], reach: Reach | None, patience: timedelta = _PATIENCE
    ) -> None:
        self._now = now
        self._patience = patience
        self._reach = reach
        self._answers: dict[Check, tuple[datetime, Gate]] = {}
        self._locks: dict[Check, Lock] = {}
        self._lock = Lock()

    def gate(self, check: Check) -> Gate:
        """The gate of a check: open if the check passes, closed otherwise."""
        if self._reach is None:
            return Gate(f"check {check.name}", f"check {check.name} is not called")
        with self._lock:
            lock = self._locks.setdefault(check, Lock())
        with lock:
            known = self._answers.get(check)
            if known and self._now() - known[0] < _KEPT:
                return known[1]
            found = _gate(check, self._request(check, self._reach))
            with self._lock:
                self._forget()
                self._answers[check] = self._now(), found
            return found

    def _forget(self) -> None:
        """Drop expired results. Otherwise, results of checks that no spec contains any more would stay
        forever.
        """
        old = [each for each, (at, _) in self._answers.items() if self._now() - at >= _KEPT]
        for each in old:
            del self._answers[each]
            # If a thread is about to acquire this lock, the only consequence is one extra request.
            if (lock := self._locks.get(each)) and not lock.locked():
                del self._locks[each]

    def _request(self, check: Check, reach: Reach) -> CheckVerdict:
        most = _MOST if isinstance(check, PrometheusCheck) else 0
        try:
            answer = ask(request_url(check), reach=reach, most=most, patience=self._patience)
            return verdict(check, answer)
        except NoAnswer as none:
            return CheckVerdict(False, str(none))


def _gate(check: Check, found: CheckVerdict) -> Gate:
    name = f"check {check.name}"
    evidence = f"{name} ({endpoint(check)}) {found.message}"
    return Gate(name, evidence, None if found.is_passed else Reason.CHECK_FAILED)
