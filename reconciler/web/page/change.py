"""One commit across the fleet: the scale sets that it changes, their progress, and which have stopped."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.daemon.history import RolloutRecord
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import CommitNote, Store
from reconciler.web.page.fleet import FleetRow, fleet_row
from reconciler.web.page.words import ALARMING

_LEAST = 7  # characters of a commit that name it


@dataclass(frozen=True, slots=True)
class Part:
    """What the commit does to one scale set. `word` says how far the change has got."""

    row: FleetRow
    word: str
    message: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A commit and its scale sets, stopped ones first. `note` is None if the commit never took effect."""

    commit: str
    note: CommitNote | None
    is_in_force: bool
    parts: tuple[Part, ...]

    def count(self, word: str) -> int:
        """The number of scale sets whose progress is `word`."""
        return sum(each.word == word for each in self.parts)


WORDS = ("stopped", "under way", "to come", "not known", "replaced", "done")


def change_view(store: Store, asked: str) -> ChangeView | None:
    """The commit whose id begins with `asked`, or None unless exactly one known commit has such an id."""
    if len(asked) < _LEAST:
        return None
    states = store.states()
    commits = {commit for state in states for commit in _commits(state)} | store.commits.keys()
    found = sorted(each for each in commits if each.startswith(asked.casefold()))
    if len(found) != 1:
        return None
    (commit,) = found
    parts = [_part(state, commit) for state in states if commit in _commits(state)]
    sweep = store.last_sweep
    return ChangeView(
        commit,
        store.commits.get(commit),
        sweep is not None and sweep.commit == commit,
        tuple(sorted(parts, key=lambda each: (WORDS.index(each.word), each.row.name))),
    )


def _commits(state: ScaleSetState) -> set[str]:
    """The commits that changed the image of a scale set, as far as they are known."""
    change = {state.change.commit} if state.change else set()
    return {each for each in change | {each.commit for each in state.published.history.records} if each}


def _part(state: ScaleSetState, commit: str) -> Part:
    records: Sequence[RolloutRecord] = state.published.history.records
    record = next((each for each in records if each.commit == commit), None)
    row = fleet_row(state)
    word = _word(row, record)
    if record is None or (word == "stopped" and record.ending is None):
        return Part(row, word, f"{row.reason}: {row.message}")
    return Part(row, word, record.message)


def _word(row: FleetRow, record: RolloutRecord | None) -> str:
    if record is not None and record.ending is not None:
        return {"Succeeded": "done", "Superseded": "replaced"}.get(str(record.ending), "stopped")
    if row.status in ALARMING:
        return "stopped"
    if record is not None:
        return "under way"
    if row.is_behind:
        return "to come"
    return "not known" if row.is_unknown else "done"
