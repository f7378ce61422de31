"""What is to come of a scale set that is on its way: the forecast, as of its last step."""

from reconciler.daemon.board import Entry
from reconciler.daemon.outcome import Outcome, rest_until
from reconciler.daemon.settings import Settings
from reconciler.forecast.forecast import Forecast, forecast
from reconciler.forecast.rehearsal import Rhythm
from reconciler.forecast.tempo import tempo
from reconciler.rollout.observed import Observed
from reconciler.rollout.reason import Standing

_ON_ITS_WAY = {Standing.RECONCILING, Standing.WAITING}


def foreseen(entry: Entry, outcome: Outcome, observed: Observed, settings: Settings) -> Forecast | None:
    """The forecast after a decision; `entry` as it was before it.

    Made anew with every step and every new wait, and kept meanwhile: of a large scale set it costs some
    tenths of a second.
    """
    is_held = any(gate.closed for gate in outcome.gates)
    if outcome.standing not in _ON_ITS_WAY and not is_held:
        return None
    is_new = entry.outcome is None or entry.outcome.reason != outcome.reason
    is_new_wait = is_new and (is_held or outcome.reason.meaning.is_rest)
    if entry.forecast and not (outcome.step or is_new_wait):
        return entry.forecast
    desired = entry.desired
    rhythm = Rhythm(
        settings.sweep,
        lambda decision, at: rest_until(decision, at, settings.follow_up, desired.interval),
    )
    return forecast(desired, observed, tempo(entry.laps), rhythm)
