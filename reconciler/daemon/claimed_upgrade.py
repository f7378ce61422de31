"""`reconciler upgrade` without a reachable daemon: this process takes the steps, under a claim.

A daemon that this process cannot reach must not upgrade the same scale set. Such a daemon may have observed
the scale set before the claim was written, and an upgrade carries no etag. After writing the claim, the
process therefore waits for much longer than a daemon may take from an observation to its step
(`observed.FRESH`), and only then observes.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.azure.budget import Priority
from reconciler.azure.failure import AzureFailure, Conflict, TooManyRequests, Unreachable
from reconciler.daemon.claim_keeper import ClaimKeeper, NotClaimed
from reconciler.daemon.claimed_step import undeclared_model
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import PickEnd, ScaleSetState
from reconciler.rollout.claim import UNSEEN, claim_length
from reconciler.rollout.observed import Model
from reconciler.rollout.refusal import active_hold, refusal
from reconciler.rollout.wording import moment
from reconciler.spec.duration import format_duration

_PAUSE = timedelta(seconds=5)  # before a write of the claim is tried again
_TRIES = 4  # to give the claim back
_PASSING = (Conflict, TooManyRequests, Unreachable)


class ClaimedUpgrade:
    """Upgrades the picked instances of one scale set until the pick ends. Only `run` waits for the end."""

    def __init__(
        self,
        reconciler: Reconciler,
        azure: AzureClient,
        claim: ClaimKeeper,
        settings: Settings,
        *,
        sleep: Callable[[float], None],
        tell: Callable[[str], None],
    ) -> None:
        """`reconciler` must act under `claim`, which must fence its session. `tell` gets each output line."""
        self._reconciler = reconciler
        self._azure = azure
        self._claim = claim
        self._settings = settings
        self._sleep = sleep
        self._tell = tell
        self._told = ""
        self._swept_at = azure.now()

    def run(self, request: PickRequest) -> PickEnd | None:
        """Claim, wait, upgrade, and give the claim back.

        Returns the end of the pick, or None if nothing was left to upgrade. Raises NotClaimed, PickRefused
        and AzureFailure.
        """
        state = self._reconciler.pick(replace(request, is_trial=True)).state
        try:
            self.begin(state)
            self._sleep(UNSEEN.total_seconds())
            return self._follow(request)
        finally:
            self._give_back(state)

    def check(self, state: ScaleSetState) -> None:
        """Raise NotClaimed if the scale set, as last observed, must not be claimed.

        Raises AzureFailure if a call fails.
        """
        model = state.seen.listed_or_read
        if model and (message := self._objection(state, model)):
            raise NotClaimed(message)

    def begin(self, state: ScaleSetState) -> None:
        """Claim the scale set. Raises NotClaimed and AzureFailure."""
        until = self._take(state)
        self._tell(
            f"{state.desired.name}: claimed until {moment(until)}; waiting {format_duration(UNSEEN)} for "
            "unreachable daemons to see the claim"
        )

    def _give_back(self, state: ScaleSetState) -> None:
        until, failure = self._claim.until, self._failure_to_give_back(state)
        for _ in range(_TRIES - 1):
            if not isinstance(failure, _PASSING):
                break
            self._sleep(_PAUSE.total_seconds())
            failure = self._failure_to_give_back(state)
        if failure:
            ends = f", and ends at {moment(until)}" if until else ""
            self._tell(f"{state.desired.name}: the claim could not be removed{ends}: {failure}")

    def _failure_to_give_back(self, state: ScaleSetState) -> AzureFailure | NotClaimed | None:
        try:
            self._claim.give_back(state.desired.target)
        except (AzureFailure, NotClaimed) as failure:
            return failure
        return None

    def _follow(self, request: PickRequest) -> PickEnd | None:
        """Reconcile until the pick is over."""
        self._reconciler.once(act=False)
        self._swept_at = self._azure.now()
        offer = self._reconciler.pick(request)
        if not offer.ids:
            return None
        while (end := self.step(offer)) is None:
            pass
        return end

    def step(self, offer: PickOffer) -> PickEnd | None:
        """Reconcile once, then wait. Returns the end of the pick, or None while it continues."""
        key = offer.state.key
        if pause := self._renew(self._state(key)):
            self._sleep(pause.total_seconds())
            return None
        outcome = self._reconciler.reconcile_picked(key)
        if end := self._end(key):
            return end
        if outcome and outcome.line != self._told:
            self._told = outcome.line
            self._tell(f"{outcome.name}: {outcome.status}: {outcome.line}")
        after = outcome.requeue_after if outcome else None
        sweep = self._settings.sweep
        self._sleep(min(sweep if after is None else after, sweep).total_seconds())
        self._observe_others(key)
        return self._end(key)

    def _end(self, key: str) -> PickEnd | None:
        """The end of the pick, or None while it continues. Raises NotClaimed if the spec was removed."""
        pick = self._state(key).pick
        if pick is None:
            raise NotClaimed("its spec was removed and declared again; run the command again")
        return pick.end

    def _observe_others(self, key: str) -> None:
        """Sweep at most once per interval, because gates may depend on scale sets that go first."""
        now = self._azure.now()
        if now - self._swept_at < self._settings.sweep:
            return
        self._swept_at = now
        for each in self._reconciler.sweep():
            if each != key:  # its own health checks in a row would begin anew
                self._reconciler.observe(each)

    def _state(self, key: str) -> ScaleSetState:
        state = self._reconciler.store.get(key)
        if state is None:
            raise NotClaimed("its spec was removed")
        return state

    def _renew(self, state: ScaleSetState) -> timedelta | None:
        """Renew the claim during its second half. Returns the pause before a retry if the renewal failed.

        Raises NotClaimed once the claim has expired, because a daemon may act from then on.
        """
        until, now = self._claim.until, self._azure.now()
        if until is None or now >= until:
            raise NotClaimed("the claim is over, so a daemon may act")
        if until - now >= _length(state) / 2:
            return None
        try:
            self._take(state)
        except _PASSING as failure:
            pause = failure.retry_after if isinstance(failure, TooManyRequests) else _PAUSE
            return min(max(pause, _PAUSE), until - now)
        return None

    def _take(self, state: ScaleSetState) -> datetime:
        target = state.desired.target
        return self._claim.take(
            self._azure, target, _length(state), lambda model: self._objection(state, model)
        )

    def _objection(self, state: ScaleSetState, model: Model) -> str:
        """Why this model must not be claimed, or "". Raises AzureFailure."""
        desired = state.desired
        held = active_hold(desired, state.fleet_pause, model, self._azure.now())
        if held:
            return held.line
        rolling_upgrade = self._azure.rolling_upgrade(desired.target, Priority.ROLLOUT)
        if refused := refusal(desired, model, rolling_upgrade):
            return refused.line
        return undeclared_model(model, state.exact)


def _length(state: ScaleSetState) -> timedelta:
    return claim_length(state.desired.health.timeout)
