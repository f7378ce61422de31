"""Everything that a person may see on the pages, each with the way there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from playwright.sync_api import Page, expect

from reconciler.acts.result import ActResult
from reconciler.daemon.leadership import Alone, Leader
from reconciler.daemon.state import PickState
from reconciler.daemon.store import Store
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.pick import Pick
from tests.browser.conftest import Served
from tests.build import NEW, NOW
from tests.web.signed_in import ADA, GROUPS, USER, Acted
from tests.web.stores import COMMIT, MINUTE, hostile, large_set, varied


def _stay(_tab: Page) -> None:
    """Nothing more to do."""


def _send(tab: Page) -> None:
    if tab.get_by_label("Reason").count():
        tab.get_by_label("Reason").fill("checkout is down")
    with tab.expect_navigation():  # with its style sheet, without which it may be wider
        tab.locator("main button").click()


def _send_what_fits_no_tag(tab: Page) -> None:
    tab.get_by_label("Reason").fill(";" * 60)
    with tab.expect_navigation():  # with its style sheet, without which it may be wider
        tab.locator("main button").click()


def _forge(tab: Page) -> None:
    tab.locator('input[name="token"]').evaluate("each => each.value = '0.0'")
    _send(tab)


@dataclass(frozen=True, slots=True)
class View:
    """A page of `store` as `headers` show it, after `step`."""

    path: str
    store: Callable[[], Store] = varied
    headers: Mapping[str, str] = field(default_factory=dict)
    acts: Callable[[], Acted | None] = lambda: None
    step: Callable[[Page], None] = _stay

    def open(self, tab: Page, url: str) -> None:
        """Go there."""
        tab.set_extra_http_headers(dict(self.headers))
        tab.goto(url + self.path)
        self.step(tab)
        if tab.locator("script").count():
            expect(tab.locator("#live")).to_have_text("Live")

    def serve(self) -> Served:
        """A server of its pages."""
        return Served(self.store(), self.acts())


class _Standby(Alone):
    is_shared = True
    term = 0
    leader = Leader("reconciler-5d9c7b8f4-x2k8p")


def _standby() -> Store:
    store = varied()
    store.leadership = _Standby()
    return store


def _paused() -> Store:
    store = varied()
    assert store.last_sweep
    pause = FleetPause(Pause("checkout is down", "grace@example.com", NOW - 20 * MINUTE))
    store.last_sweep = replace(
        store.last_sweep,
        fleet_pause=pause,
        warnings=("specs/queue.yaml:12:1: a key is repeated",),
        stale_since=NOW - 90 * MINUTE,
    )
    return store


def _picked() -> Store:
    store = varied()
    state = store.states().by_name("billing")
    assert state
    pick = Pick(frozenset({"3", "8", "13", "18"}), "ada@example.com", NOW - MINUTE, "update domain 3")
    picked = replace(state, pick=PickState(pick, NEW, NOW - MINUTE))
    store._states = store.states().with_state(picked)
    return store


_SIGNED_IN = {"headers": ADA, "acts": Acted}
_HOSTILE = f"/scale-sets/{quote(hostile().states()[0].desired.name, safe='')}"
_ACTIONS = "/scale-sets/checkout-api/actions"
_PARTLY = ActResult(
    ("this daemon begins no further write", "billing: paused by ada@example.com"),
    (
        "checkout-api: Azure returned 403 AuthorizationFailed: The client does not have authorization to perform action 'Microsoft.Resources/tags/write'.",
    ),
)


def _signed_in(path: str, **others: object) -> View:
    return View(path, **(_SIGNED_IN | others))  # type: ignore[arg-type]


VIEWS: Mapping[str, View] = {
    "fleet": View("/"),
    "fleet behind": View("/?behind=1&q=checkout"),
    "fleet without a match": View("/?q=nonesuch"),
    "fleet of a standby": View("/", _standby),
    "fleet that is paused": View("/", _paused),
    "fleet before the first sweep": View("/", Store),
    "fleet of one who is signed in": _signed_in("/"),
    "scale set under way": View("/scale-sets/checkout-api"),
    "scale set that is stalled": View("/scale-sets/checkout-worker"),
    "scale set that waits": _signed_in("/scale-sets/billing"),
    "scale set with a pick": _signed_in("/scale-sets/billing", store=_picked),
    "scale set of 1,000": View("/scale-sets/huge", large_set),
    "scale set that is unchecked": View("/scale-sets/queue"),
    "scale set that is an orphan": View("/scale-sets/old-frontend"),
    "rollouts": View("/rollouts"),
    "rollouts of a week": View("/rollouts?hours=168"),
    "commit": View(f"/changes/{COMMIT}"),
    "not found": View("/scale-sets/none"),
    "starting": View("/scale-sets/web", Store),
    "form of a pause": _signed_in(f"{_ACTIONS}/pause"),
    "form of a pause of the fleet": _signed_in("/actions/pause"),
    "form of a resumption": _signed_in("/actions/resume", store=_paused),
    "form of an approval": _signed_in("/scale-sets/billing/actions/approve"),
    "form of a retry": _signed_in(f"{_ACTIONS}/retry"),
    "form of a reconcile": _signed_in(f"{_ACTIONS}/reconcile"),
    "choice of instances": _signed_in(f"{_ACTIONS}/upgrade"),
    "form of an upgrade": _signed_in("/scale-sets/billing/actions/upgrade?domain=update+domain+3"),
    "form with an error": _signed_in(f"{_ACTIONS}/pause", step=_send_what_fits_no_tag),
    "form that is no longer valid": _signed_in(f"{_ACTIONS}/pause", step=_forge),
    "form without permission": _signed_in(f"{_ACTIONS}/pause", headers={USER: "bob", GROUPS: "dev"}),
    "form of a standby": _signed_in(
        f"{_ACTIONS}/pause", acts=lambda: Acted(standby="this replica is on standby: replica-1 leads; ask the leader")
    ),
    "notice": _signed_in(f"{_ACTIONS}/pause", step=_send),
    "notice of a failure": _signed_in("/actions/pause", step=_send, acts=lambda: Acted(result=_PARTLY)),
    "fleet with hostile texts": View("/", hostile),
    "scale set with hostile texts": View(_HOSTILE, hostile),
    "rollouts with hostile texts": View("/rollouts", hostile),
    "choice with hostile texts": _signed_in(f"{_HOSTILE}/actions/upgrade", store=hostile),
    "form with hostile texts": _signed_in(f"{_HOSTILE}/actions/resume", store=hostile),
    "not signed in": _signed_in("/scale-sets/billing", headers={}),
    "sign-in with an error": _signed_in("/", headers={USER: "x" * 200}),
}  # fmt: skip
"""By what is seen."""
