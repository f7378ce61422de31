"""A whole rollout as text. A reviewer reads it in a minute, and a change of behaviour is a small diff in it.

It contains nothing that an internal change would alter: the outcomes of the observations, what the simulator
recorded, and the events of the story. Equal observations in a row are written once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from textwrap import wrap
from typing import Any

from reconciler.daemon.outcome import Outcome
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.simulator import Exchange, OperationFails
from tests.stories.world import BASE
from tests.transcripts.witness import Note, View, Witness

LEGEND = """\
azure    the scale set as it is: its own state, the image of its model, the instances that do not serve
counts   what the daemon counts, by update domain (UD), zone (Z) and placement group (PG), one sign for each instance:
         # up to date   X up to date, unavailable   . outdated   x outdated, unavailable
         A batch counts as unavailable from the observation that starts it.
story    what others do: people, commits, Azure"""
URN = f"{':'.join(BASE.values())}:"
VERBS = {
    "VirtualMachineScaleSets_Update": "PATCH",
    "VirtualMachineScaleSets_UpdateInstances": "manualupgrade",
}
ABBREVIATIONS = {
    "update domain ": "UD",
    "fault domain ": "FD",
    "zone ": "Z",
    "placement group ": "PG",
    "the scale set": "all",
}
# Most messages fit into one line, so that a change of one word is a diff of one line.
WIDTH = 140
TIME, LABEL = 10, 9  # columns

Line = tuple[str, str]  # a label, and what it is about


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened at one moment: an observation of the scale set `name`, or an event of the story if that is ""."""

    at: datetime
    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """An entry, and how many equal observations in a row there were, until when."""

    entry: Entry
    until: datetime
    count: int = 1


def transcript(title: str, premise: str, world: Witness) -> str:
    """Everything that happened in `world`."""
    head = (title, "", *wrap(premise, WIDTH), "", LEGEND, "")
    runs = _runs(_entries(world))
    days = {run.entry.at.date() for run in runs}
    body: list[str] = []
    for before, run in zip([None, *runs], runs, strict=False):
        if len(days) > 1 and (before is None or before.entry.at.date() != run.entry.at.date()):
            body += ["", f"{run.entry.at:%A}"]
        if not run.entry.name and before and before.entry.name:
            body.append("")
        body += _paragraph(run)
    text = "\n".join((*head, *body, *_ends_of_others(world), "", _cost(world.azure.record.requests), ""))
    for name, instead in world.names.items():
        text = text.replace(name, instead)
    return text


def _entries(world: Witness) -> Iterator[Entry]:
    """Observations and notes in order."""
    requests = world.azure.record.requests
    scenes = world.scenes
    ends = [*(scene.requests for scene in scenes[1:]), len(requests)]
    notes = {number: tuple(each) for number, each in groupby(world.notes, key=lambda note: note.observations)}
    for number, (outcome, scene, end) in enumerate(zip(world.outcomes, scenes, ends, strict=True)):
        yield from map(_story, notes.get(number, ()))
        if outcome.name not in world.shown:
            continue
        exchanges = requests[scene.requests : end]
        prefix = f"{outcome.name}: " if len(scene.views) > 1 else ""
        yield _observation(outcome, scene.views[outcome.name], exchanges, prefix)
    yield from map(_story, notes.get(len(scenes), ()))


def _runs(entries: Iterable[Entry]) -> list[Run]:
    """Combine equal observations of a scale set, even with others in between. An event of the story ends every run."""
    runs: list[Run] = []
    last: dict[str, int] = {}
    for entry in entries:
        if not entry.name:
            last.clear()
        number = last.get(entry.name)
        if number is not None and runs[number].entry.lines == entry.lines:
            runs[number] = Run(runs[number].entry, entry.at, runs[number].count + 1)
            continue
        if entry.name:
            last[entry.name] = len(runs)
        runs.append(Run(entry, entry.at))
    return runs


def _paragraph(run: Run) -> Iterator[str]:
    """The lines of one run: the time once, and a label for each."""
    time = f"{run.entry.at:%H:%M:%S}"
    again = (
        (("", f"... the same until {run.until:%H:%M:%S}, {run.count} observations"),) if run.count > 1 else ()
    )
    for label, text in (*run.entry.lines, *again):
        yield from wrap(
            text,
            WIDTH,
            initial_indent=f"{time:{TIME}}{label:{LABEL}}",
            subsequent_indent=" " * (TIME + LABEL + 2),
            break_on_hyphens=False,
        )
        time = ""


def _story(note: Note) -> Entry:
    return Entry(note.at, "", (("story", note.text), *(("", line.replace(URN, "")) for line in note.answer)))


def _observation(outcome: Outcome, view: View, exchanges: Sequence[Exchange], prefix: str) -> Entry:
    decision = f"{outcome.status}, {outcome.line}"
    lines = (
        ("azure", f"{prefix}{_view(view)}"),
        *([("counts", _counts(outcome.counts))] if outcome.counts else []),
        ("decides", decision.replace(URN, "")),
        *(("writes", _write(each)) for each in exchanges if each.method != "GET"),
    )
    return Entry(outcome.at, outcome.name, lines)


def _ends_of_others(world: Witness) -> list[str]:
    """The final statuses of the scale sets that are not shown."""
    others = [state for state in world.reconciler.store.states() if state.desired.name not in world.shown]
    ends = Counter(f"{each.outcome.status}, {each.outcome.reason}" for each in others if each.outcome)
    listed = "; ".join(f"{count} {end}" for end, count in sorted(ends.items()))
    return ["", f"The scale sets that are not shown end as: {listed}."] if others else []


def _view(view: View) -> str:
    unavailable = f", unavailable: {', '.join(view.unavailable)}" if view.unavailable else ""
    return f"{view.state}, model {view.image.removeprefix(URN)}{unavailable}"


def _counts(counts: InstanceCounts) -> str:
    """
    >>> from reconciler.rollout.domains import Domain
    >>> domains = [DomainCounts(Domain("", "", n, "update domain"), 3, 2 - n, 1 - n, 1 + n) for n in (0, 1)]
    >>> _counts(InstanceCounts(tuple(domains)))
    '3 of 6 up to date, 3 unavailable: UD0 #X. UD1 X.x'
    """
    domains = " | ".join(
        " ".join((*([place] if place else []), *(f"{number} {_signs(tally)}" for number, tally in inside)))
        for place, inside in _places(counts.domains)
    )
    return f"{counts.up_to_date} of {counts.total} up to date, {counts.unavailable} unavailable: {domains}"


def _places(domains: Iterable[DomainCounts]) -> Iterator[tuple[str, list[tuple[str, DomainCounts]]]]:
    """Adjacent domains by their zone and placement group: the place, and each domain with its number."""
    named = ((*_place(str(tally.domain)), tally) for tally in domains)
    for place, inside in groupby(named, key=lambda each: each[0]):
        yield place, [(number, tally) for _, number, tally in inside]


def _place(domain: str) -> tuple[str, str]:
    """
    >>> _place("zone 2, update domain 1, placement group 4f3a0c11")
    ('Z2/PG4f3a0c11', 'UD1')
    >>> _place("zone 2"), _place("the scale set")
    (('', 'Z2'), ('', 'all'))
    """
    for name, short in ABBREVIATIONS.items():
        domain = domain.replace(name, short)
    parts = domain.split(", ")
    numbers = [part for part in parts if part[:2] in ("UD", "FD")]
    rest = [part for part in parts if part not in numbers]
    return ("/".join(rest), numbers[0]) if numbers else ("", domain)


def _signs(tally: DomainCounts) -> str:
    """One sign for each instance of a domain."""
    not_serving = tally.up_to_date - tally.back
    outdated = tally.total - tally.up_to_date
    down = tally.unavailable - not_serving
    return "#" * tally.back + "X" * not_serving + "." * (outdated - down) + "x" * down


def _write(exchange: Exchange) -> str:
    what = f"{_verb(exchange)} {', '.join(_changes(exchange))}"
    answer = f"answer {exchange.status}" if exchange.status else "no answer"
    fails = (
        f", and its operation fails: {exchange.fault.code}"
        if isinstance(exchange.fault, OperationFails)
        else ""
    )
    return f"{what} ({answer}{fails})".replace(URN, "")


def _changes(exchange: Exchange) -> Iterator[str]:
    """What a write requests: the instances, or the image and the tags that it changes."""
    body: Mapping[str, Any] = exchange.body or {}
    if "instanceIds" in body:
        yield f"instances {', '.join(body['instanceIds'])}"
        return
    profile = body.get("properties", {}).get("virtualMachineProfile", {})
    if reference := profile.get("storageProfile", {}).get("imageReference"):
        yield f"image {':'.join(reference.values())}"
    present = exchange.before.tags if exchange.before else {}
    for name, value in body.get("tags", {}).items():
        if (value or "") != present.get(name, ""):
            yield f"tag {name} = {value}" if value else f"tag {name} emptied"


def _cost(requests: Sequence[Exchange]) -> str:
    counts = Counter(_verb(each) for each in requests if each.method != "GET")
    writes = [f"{count} {verb}" for verb, count in sorted(counts.items())]
    return f"Requests to Azure: {', '.join([*writes, f'{len(requests) - counts.total()} reads'])}."


def _verb(write: Exchange) -> str:
    """The short name of a write. One that the daemon never makes today keeps its full name, so that nobody overlooks it."""
    return VERBS.get(write.operation, f"{write.method} {write.operation}")
