"""What is to come of a scale set that is on its way: the forecast, as of its last step."""

from reconciler.daemon.event import Foreseen
from reconciler.daemon.outcome import Outcome, rest_until
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.forecast.batch_duration import MeasuredBatch, measure, usual_duration
from reconciler.forecast.forecast import Forecast, forecast
from reconciler.forecast.simulation import Schedule
from reconciler.rollout.observed import Observed
from reconciler.rollout.reason import Status

_ON_ITS_WAY = {Status.RECONCILING, Status.WAITING}


def foresee(state: ScaleSetState, outcome: Outcome, observed: Observed, settings: Settings) -> Foreseen:
    """What is to come after a decision; `state` as it was before it."""
    measured = measure(state.published.measured, observed)
    return Foreseen(_refresh(state, outcome, observed, measured, settings), measured)


def _refresh(
    state: ScaleSetState,
    outcome: Outcome,
    observed: Observed,
    measured: tuple[MeasuredBatch, ...],
    settings: Settings,
) -> Forecast | None:
    """Made anew with every step and every new wait, and kept meanwhile: of a large scale set it costs some
    tenths of a second.
    """
    is_held = any(gate.closed for gate in outcome.gates)
    if outcome.status not in _ON_ITS_WAY and not is_held:
        return None
    is_new = state.outcome is None or state.outcome.reason != outcome.reason
    is_new_wait = is_new and (is_held or outcome.reason.meaning.is_pause)
    if state.published.forecast and not (outcome.step or is_new_wait):
        return state.published.forecast
    desired = state.desired
    schedule = Schedule(
        settings.sweep,
        lambda decision, at: rest_until(decision, at, settings.requeue_after, desired.interval),
    )
    return forecast(desired, observed, usual_duration(measured, desired.health.timeout), schedule)
