"""What is to come of a scale set that is on its way: the forecast, as of its last step."""

from reconciler.daemon.board import Entry
from reconciler.daemon.outcome import Outcome, Standing, rest_until
from reconciler.daemon.settings import Settings
from reconciler.forecast.forecast import Forecast, forecast
from reconciler.forecast.rehearsal import Rhythm
from reconciler.forecast.tempo import tempo
from reconciler.rollout.observed import Observed

_ON_ITS_WAY = {Standing.RECONCILING, Standing.WAITING}


def foreseen(entry: Entry, outcome: Outcome, observed: Observed, settings: Settings) -> Forecast | None:
    """The forecast after a decision; `entry` as it was before it.

    Made anew with every step and every new wait, and kept meanwhile: of a large scale set it costs some
    tenths of a second.
    """
    if outcome.standing not in _ON_ITS_WAY:
        return None
    if entry.forecast and not (outcome.step or _is_new_wait(entry, outcome)):
        return entry.forecast
    desired = entry.desired
    rhythm = Rhythm(
        settings.sweep,
        lambda decision, at: rest_until(decision, at, settings.follow_up, desired.interval),
    )
    return forecast(desired, observed, tempo(entry.laps), rhythm)


def _is_new_wait(entry: Entry, outcome: Outcome) -> bool:
    known = entry.outcome.reason if entry.outcome else ""
    return outcome.standing is Standing.WAITING and outcome.reason != known
