"""Refreshes the forecast of a scale set that is rolling out or waiting."""

from reconciler.daemon.event import ForecastUpdate
from reconciler.daemon.outcome import Outcome, requeue_delay
from reconciler.daemon.settings import Settings
from reconciler.daemon.state import ScaleSetState
from reconciler.forecast.batch_duration import MeasuredBatch, measure, usual_duration
from reconciler.forecast.forecast import Forecast, forecast
from reconciler.forecast.simulation import Schedule
from reconciler.rollout.observed import Observed
from reconciler.rollout.reason import Status

_FORECAST_FOR = {Status.RECONCILING, Status.WAITING}


def refresh_forecast(
    state: ScaleSetState, outcome: Outcome, observed: Observed, settings: Settings
) -> ForecastUpdate:
    """The forecast after a decision, and the measured durations. `state` is the state before the decision."""
    measured = measure(state.published.measured, observed)
    return ForecastUpdate(_refresh(state, outcome, observed, measured, settings), measured)


def _refresh(
    state: ScaleSetState,
    outcome: Outcome,
    observed: Observed,
    measured: tuple[MeasuredBatch, ...],
    settings: Settings,
) -> Forecast | None:
    """Recompute the forecast at each step and each new wait, and keep it in between.

    For a large scale set, this takes a few tenths of a second.
    """
    is_held = any(gate.closed for gate in outcome.gates)
    if outcome.status not in _FORECAST_FOR and not is_held:
        return None
    is_new = state.outcome is None or state.outcome.reason != outcome.reason
    is_new_wait = is_new and (is_held or outcome.reason.meaning.is_pause)
    if state.published.forecast and not (outcome.step or is_new_wait):
        return state.published.forecast
    desired = state.desired
    schedule = Schedule(
        settings.sweep,
        lambda decision, at: requeue_delay(decision, at, settings.requeue_after, desired.interval),
    )
    return forecast(desired, observed, usual_duration(measured, desired.health.timeout), schedule)
