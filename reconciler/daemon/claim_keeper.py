"""Holds the claim of one process on one scale set: takes it, renews it, and gives it back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from reconciler.azure.budget import Priority
from reconciler.azure.failure import AzureFailure, Unreachable
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.leadership import Alone
from reconciler.rollout.claim import CLAIM, Claim
from reconciler.rollout.health import is_in_transition
from reconciler.rollout.observed import Absent, Model
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.tags import MOST, STATE, missing_room, with_state
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import Target

_WRITE_TIMEOUT = timedelta(seconds=12)  # as for a replica that leads: Azure accepts a write within seconds
LOST = f"the claim is gone from the tag {CLAIM}, so a daemon may act; run the command again"


class NotClaimed(Exception):
    """Why the scale set could not be claimed, or is no longer claimed."""


class ClaimKeeper:
    """The claim on one scale set, and the permission to write that follows from it.

    Every write of the claim is guarded by the etag of the scale set, so only one of two competing processes
    gets the claim. A session asks the keeper before each of its writes. The keeper refuses a write that might
    outlast the claim.
    """

    write_timeout: timedelta | None = _WRITE_TIMEOUT

    def __init__(self, by: str) -> None:
        self.holder = uuid4().hex
        self.until: datetime | None = None
        self._by = by
        self._azure: AzureClient | None = None
        self._is_writing = False
        self._may_be_written = False

    def permits_write(self, timeout: timedelta, _term: int | None) -> bool:
        """Whether the claim lasts for `timeout` from now. Always true for a write of the claim itself."""
        if self._is_writing:
            return True
        return (
            self._azure is not None and self.until is not None and self._azure.now() + timeout <= self.until
        )

    def take(
        self,
        azure: AzureClient,
        target: Target,
        length: timedelta,
        objection: Callable[[Model], str] = lambda _: "",
    ) -> datetime:
        """Claim the scale set for `length`, or renew the claim. Returns the end of the claim.

        A claim is not renewed while Azure is changing the scale set, because the write could interfere.

        Raises NotClaimed if another process holds a claim, if our claim was removed, if `objection` returns a
        reason not to claim the model, or if there is no room for the tag. Raises AzureFailure if a call
        fails.
        """
        self._azure = azure
        model, now = _model(azure, target), azure.now()
        known = model.persisted.claim
        is_ours = known is not None and known.holder == self.holder
        if self.until is not None and not is_ours:
            raise NotClaimed(LOST)
        if known and not is_ours and known.is_live(now, length):
            by = f" by {known.by}" if known.by else ""
            raise NotClaimed(f"another `reconciler upgrade`{by} has claimed it until {moment(known.until)}")
        if message := objection(model):
            raise NotClaimed(message)
        if is_in_transition(model.provisioning):
            if self.until is not None:
                return self.until
            raise NotClaimed(f"Azure is {model.provisioning} the scale set; try again when it has finished")
        until = (now + length).replace(microsecond=0)
        after = replace(model.persisted, claim=Claim(self.holder, self._by, until))
        if missing_room(model.tags, with_state(model.tags, after)):
            raise NotClaimed(f"there is no room for the tag {CLAIM}: Azure allows {MOST}; remove one")
        self._may_be_written = True
        try:
            self._write(target, model, after)
        except Unreachable:
            if not self._is_written(target, until):
                raise
        self.until = until
        return until

    def _is_written(self, target: Target, until: datetime) -> bool:
        """Whether a write that got no response took effect. False if that cannot be read."""
        assert self._azure, "it is asked after a write"  # noqa: S101
        try:
            claim = _model(self._azure, target).persisted.claim
        except (AzureFailure, NotClaimed):
            return False
        return claim is not None and (claim.holder, claim.until) == (self.holder, until)

    def give_back(self, target: Target) -> None:
        """Remove the claim if it is still ours, even if the write of the claim got no response.

        Raises AzureFailure and NotClaimed.
        """
        if self._azure is None or not self._may_be_written:
            return
        model = _model(self._azure, target)
        if (known := model.persisted.claim) and known.holder == self.holder:
            self._write(target, model, replace(model.persisted, claim=None))
        self.until = None
        self._may_be_written = False

    def _write(self, target: Target, model: Model, persisted: PersistedState) -> None:
        assert self._azure, "a claim is written after it is taken"  # noqa: S101
        self._is_writing = True
        try:
            self._azure.persist(target, model, persisted, term=Alone.term)
        finally:
            self._is_writing = False


def _model(azure: AzureClient, target: Target) -> Model:
    model = azure.model(target, Priority.ROLLOUT)
    if isinstance(model, Absent):
        raise NotClaimed(f"there is no scale set {target.id}")
    if not model.persisted.is_readable:
        raise NotClaimed(f"its tag {STATE} has an unknown format; run the later version that wrote it")
    return model
