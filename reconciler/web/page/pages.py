"""Renders the pages of the store: finds each page by its address, and makes its parts."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from reconciler.daemon.leadership import describe_standby
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.status_word import ORDER
from reconciler.daemon.store import Store
from reconciler.rollout.reason import Status
from reconciler.rollout.refusal import describe_fleet_pause
from reconciler.web.page.change import WORDS, change_view
from reconciler.web.page.fleet import (
    SORTS,
    FleetQuery,
    FleetRow,
    fleet_row,
    headline,
    orphan_row,
    sections,
)
from reconciler.web.page.render import Rendered, joined, macro
from reconciler.web.page.scale_set import fleet_commands, scale_set_view
from reconciler.web.page.timeline import timeline

_SPANS = {6: "6 hours", 24: "a day", 168: "a week"}  # that the timeline goes back
_DEFAULT_SPAN = 24


class StorePages:
    """Renders the pages of one store. A line of the fleet is rendered again only if its state has changed.

    `now` is the clock of the daemon. `has_actions` means that the pages link to actions, for those who may
    take them.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], *, has_actions: bool = False) -> None:
        self.store = store
        self._has_actions = has_actions
        self.now = now
        self._rows: dict[str, tuple[ScaleSetState, FleetRow, str]] = {}

    @property
    def key(self) -> tuple[object, ...]:
        """A key that is different whenever a page may have changed."""
        leadership = self.store.leadership
        leader = leadership.leader
        return self.store.version, leadership.term, leader.name if leader else None

    def render(self, address: str) -> Rendered | None:
        """The page at a path with its query, or None if there is no such page."""
        page, standby = self._page(address), self._standby()
        if page is None or not standby:
            return page
        notice = str(macro("fleet.html", "standby_notice")(standby))
        return Rendered(page.title, {"standby": notice, **page.parts}, notice + page.main)

    def _standby(self) -> str:
        leadership = self.store.leadership
        return "" if leadership.term else describe_standby(leadership)

    def _page(self, address: str) -> Rendered | None:
        try:
            split = urlsplit(address)
            query = parse_qsl(split.query, max_num_fields=50)
        except ValueError:  # too many fields, or a bracket in "//[" that never closes
            return None
        match unquote(split.path).strip("/").split("/"):
            case [""]:
                return self._fleet(FleetQuery.of(query))
            case ["scale-sets", name]:
                return self._scale_set(name)
            case ["rollouts"]:
                return self._rollouts(dict(query).get("hours", ""))
            case ["changes", commit]:
                return self._change(commit)
            case _:
                return None

    def _fleet(self, query: FleetQuery) -> Rendered:
        states = self.store.states()
        known = [self._row(state) for state in states]
        self._forget(states)
        rows = [row for row, _ in known]
        html = {(row.name, row.is_orphan): text for row, text in known}
        for orphan in self.store.orphans:
            row = orphan_row(orphan)
            rows.append(row)
            html[row.name, True] = str(macro("fleet.html", "line")(row))
        parts = {"headline": self._headline(rows, query)}
        blocks = []
        for number, (heading, shown) in enumerate(sections(rows, query)):
            id_ = f"section-{number}"
            ready = sum(row.status == Status.READY for row in shown)
            parts[id_] = str(macro("fleet.html", "section_heading")(id_, heading, ready, len(shown)))
            lines = {f"row-{row.name}": html[row.name, row.is_orphan] for row in shown}
            parts |= lines
            blocks.append((id_, joined([parts[id_]]), joined(list(lines.values()))))
        is_known = self.store.last_sweep is not None
        main = macro("fleet.html", "main")(joined([parts["headline"]]), blocks, query, len(rows), is_known)
        return Rendered("Fleet", parts, str(main))

    def _row(self, state: ScaleSetState) -> tuple[FleetRow, str]:
        known = self._rows.get(state.key)
        if known is None or known[0] is not state:
            row = fleet_row(state)
            is_same = known is not None and known[1] == row
            text = known[2] if known and is_same else str(macro("fleet.html", "line")(row))
            known = self._rows[state.key] = (state, row, text)
        return known[1], known[2]

    def _forget(self, states: Sequence[ScaleSetState]) -> None:
        if len(self._rows) > len(states):
            keys = {state.key for state in states}
            known = list(self._rows.items())  # at once: another thread may render meanwhile
            self._rows = {key: row for key, row in known if key in keys}

    def _headline(self, rows: Sequence[FleetRow], query: FleetQuery) -> str:
        answers = headline(rows, self.now())
        chips = [
            (word, answers.counts[word], _toggled(query, word)) for word in ORDER if answers.counts[word]
        ]
        sweep = self.store.last_sweep
        pause = describe_fleet_pause(sweep.fleet_pause) if sweep else ""
        commands = fleet_commands(self.store) if self._has_actions else ()
        return str(
            macro("fleet.html", "headline")(answers, sweep, self._standby(), pause, chips, query, commands)
        )

    def _scale_set(self, name: str) -> Rendered | None:
        state = self.store.states().by_name(name)
        if state is None:
            orphan = next((each for each in self.store.orphans if each.name == name), None)
            if orphan is None:
                return None
            text = str(macro("scale_set.html", "orphan")(orphan_row(orphan), orphan))
            return Rendered(name, {"orphan": text}, text)
        view = scale_set_view(self.store, state)
        parts = {
            each: str(macro("scale_set.html", each)(view))
            for each in ("differences", "conditions", "history")
        }
        parts["commands"] = str(macro("scale_set.html", "commands")(view, self._has_actions))
        parts |= {each: str(macro("scale_set.html", each)(view, self.now())) for each in ("why", "forecast")}
        map_parts: dict[str, str] = {}
        maps = []
        for number, shown in enumerate(view.maps):
            rows = {
                f"map-{number}-{row}": str(macro("scale_set.html", "map_row")(f"map-{number}-{row}", each))
                for row, each in enumerate(shown.rows)
            }
            map_parts |= rows
            maps.append((shown, joined(list(rows.values()))))
        parts["legend"] = str(macro("scale_set.html", "legend")(view))
        safe = {name: joined([text]) for name, text in parts.items()}
        main = macro("scale_set.html", "main")(view, safe, maps)
        return Rendered(name, {**parts, **map_parts}, str(main))

    def _rollouts(self, asked: str) -> Rendered:
        hours = int(asked) if asked in map(str, _SPANS) else _DEFAULT_SPAN
        shown = timeline(self.store.states(), self.now(), timedelta(hours=hours))
        text = str(macro("rollouts.html", "main")(shown, list(_SPANS.items()), hours))
        return Rendered("Rollouts", {"rollouts": text}, text)

    def _change(self, commit: str) -> Rendered | None:
        view = change_view(self.store, commit)
        if view is None:
            return None
        counts = [(word, view.count(word)) for word in WORDS]
        text = str(macro("change.html", "main")(view, counts))
        return Rendered(f"Commit {view.commit[:10]}", {"change": text}, text)


def _toggled(query: FleetQuery, word: str) -> str:
    """The address that limits the fleet to this status or, if only this status is shown, lifts the limit."""
    given = [("q", query.text)] if query.text else []
    given += [("label", each) for each in query.labels]
    given += [("sort", query.sort)] if query.sort in SORTS and query.sort != "wave" else []
    if query.statuses != (word,):
        given.append(("status", word.lower()))
    return f"/?{urlencode(given)}" if given else "/"
