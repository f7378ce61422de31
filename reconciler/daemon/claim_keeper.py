"""Holds the claim of one process on one scale set: takes it, renews it, and gives it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from reconciler.azure.budget import Priority
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.leadership import Alone
from reconciler.rollout.claim import CLAIM, Claim
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.tags import MOST, missing_room, with_state
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import Target

_WRITE_TIMEOUT = timedelta(seconds=12)  # as for a replica that leads: Azure accepts a write within seconds


class NotClaimed(Exception):
    """Why the scale set could not be claimed, or no longer is."""


class ClaimKeeper:
    """The claim on one scale set, and the permission to write that follows from it.

    Every write of the claim is guarded by the etag of the scale set, so only one of two processes gets it. As
    the fence of a session, it lets no other write pass that might end after the claim.
    """

    write_timeout: timedelta | None = _WRITE_TIMEOUT

    def __init__(self, by: str) -> None:
        self.holder = uuid4().hex
        self.until: datetime | None = None
        self._by = by
        self._azure: AzureClient | None = None
        self._is_writing = False

    def permits_write(self, timeout: timedelta, _term: int | None) -> bool:
        """Whether the claim lasts for `timeout` from now. A write of the claim itself needs none."""
        if self._is_writing:
            return True
        return (
            self._azure is not None and self.until is not None and self._azure.now() + timeout <= self.until
        )

    def take(self, azure: AzureClient, target: Target, length: timedelta) -> datetime:
        """Claim the scale set for `length`, or renew the claim. Returns its end.

        Raises NotClaimed if another process holds a claim, or if there is no room for the tag; and
        AzureFailure.
        """
        self._azure = azure
        model, now = _model(azure, target), azure.now()
        other = model.persisted.claim
        if other and other.holder != self.holder and other.is_live(now):
            by = f" by {other.by}" if other.by else ""
            raise NotClaimed(f"another `reconciler upgrade`{by} has claimed it until {moment(other.until)}")
        until = (now + length).replace(microsecond=0)
        after = replace(model.persisted, claim=Claim(self.holder, self._by, until))
        if missing_room(model.tags, with_state(model.tags, after)):
            raise NotClaimed(f"there is no room for the tag {CLAIM}: Azure allows {MOST}; remove one")
        self._write(target, model, after)
        self.until = until
        return until

    def give_back(self, target: Target) -> None:
        """Remove the claim, if it is still ours. Raises AzureFailure and NotClaimed."""
        if self._azure is None or self.until is None:
            return
        model = _model(self._azure, target)
        if (known := model.persisted.claim) and known.holder == self.holder:
            self._write(target, model, replace(model.persisted, claim=None))
        self.until = None

    def _write(self, target: Target, model: Model, persisted: PersistedState) -> None:
        assert self._azure, "a claim is written after it is taken"  # noqa: S101
        with self._own_write():
            self._azure.persist(target, model, persisted, term=Alone.term)

    @contextmanager
    def _own_write(self) -> Iterator[None]:
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False


def _model(azure: AzureClient, target: Target) -> Model:
    model = azure.model(target, Priority.ROLLOUT)
    if isinstance(model, Absent):
        raise NotClaimed(f"there is no scale set {target.id}")
    if not model.persisted.is_readable:
        raise NotClaimed("a later version of this program wrote its tags; run that version")
    return model
