"""The actions of the page, without an Azure: who gets to act, with which request, and what is recorded."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reconciler.acts.result import ActResult
from reconciler.cli.log_lines import log_lines
from reconciler.daemon.state import PickState, ScaleSetState
from reconciler.daemon.states import ScaleSetStates
from reconciler.daemon.store import Store, Sweep
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.pick import Pick
from reconciler.spec.fleet import PauseTag
from reconciler.spec.scale_set import Approval
from reconciler.web.page.action import Action
from reconciler.web.page.forgery import FormTokens
from reconciler.web.page.routes import PageSite
from tests.build import FIX, FLEET, NEW, NOW, SUBSCRIPTION, spec
from tests.daemon.states import store_of
from tests.web.plain_text import assert_text
from tests.web.signed_in import ADA, ALL, GROUPS, USER, Acted, actions_of
from tests.web.stores import COMMIT, HOSTILE, hostile, large_set, observed, rolling_instances, varied

HOST = "http://testserver"
PROXY = "10.1.2.3"
SAME_SITE = {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
PAUSE, RESUME = "/scale-sets/web/actions/pause", "/scale-sets/web/actions/resume"
DOMAIN = "/scale-sets/web/actions/upgrade?domain=update+domain+3"
OF_DOMAIN = ["3", "8", "13", "18", "23", "28", "33", "38"]
EVERY = [
    *(f"/scale-sets/web/actions/{action}" for action in Action if action is not Action.UPGRADE),
    *(DOMAIN, "/scale-sets/web/actions/upgrade?instance=3&instance=8"),
    *("/actions/pause", "/actions/resume"),
]


def fleet(**changes: Any) -> Store:
    """A fleet of one scale set that waits for approval. `changes` are of its Fleet, or of its last observation."""
    declared = replace(
        FLEET, barred=changes.pop("barred", frozenset()), pause_tag=changes.pop("pause_tag", None)
    )
    wanted = {"approval": Approval.START, "fleet": declared}
    waits = observed(
        "web", rolling_instances(), "AwaitingApproval", "it needs approval", spec=wanted, **changes
    )
    return Store(Sweep(NOW, COMMIT, ""), _states=ScaleSetStates.of((waits,)))


class Site:
    """The pages of a store for one client, at the address of a proxy unless it is somebody else."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        grants: Sequence[str] = ALL,
        acts: Acted | None = None,
        peer: str = PROXY,
        tokens: FormTokens | None = None,
    ) -> None:
        self.acts = acts or Acted()
        self.store = store or fleet()
        self.now = NOW
        actions = actions_of(
            self.store, self.acts, lambda: self.now, proxy=PROXY, grants=grants, tokens=tokens
        )
        routes = PageSite(self.store, lambda: NOW, actions).routes
        self.client = TestClient(Starlette(routes=routes), base_url=HOST, client=(peer, 50000))

    def get(self, path: str, headers: Mapping[str, str] = ADA) -> Response:
        return self.client.get(path, headers=headers)

    def form(self, path: str, headers: Mapping[str, str] = ADA) -> dict[str, str]:
        """The fields of the form at this path."""
        found = re.search('name="token" value="([0-9]+[.][0-9a-f]{64})"', self.get(path, headers).text)
        assert found
        return {"token": found[1], "reason": "checkout is down"}

    def post(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] = ADA | SAME_SITE
    ) -> Response:
        return self.client.post(path, data=dict(fields), headers=headers, follow_redirects=False)

    def act(self, path: str, **others: str) -> Response:
        """Send the form at this path, as a browser does."""
        return self.post(path, self.form(path) | others)


def test_each_action_is_shown_before_it_is_done_and_then_done() -> None:
    site = Site()
    for path in EVERY:
        assert site.get(path).status_code == 200
    assert site.acts.done == [], "a GET does nothing"
    for path in EVERY:
        assert site.act(path).status_code == 303
    pause = Pause("checkout is down", "ada@example.com", NOW)
    assert site.acts.done == [
        ("pause", "web", pause),
        ("resume", "web", ()),
        ("approve", "web", NEW, "ada@example.com"),
        ("retry", "web", NEW),
        ("reconcile", "web"),
        ("upgrade", "web", "update domain 3", tuple(OF_DOMAIN), "ada@example.com"),
        ("upgrade", "web", "", ("3", "8"), "ada@example.com"),
        ("pause", "", pause),
        ("resume", "", ()),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": ""}, id="no Origin"),
        pytest.param({"Origin": "https://evil.example.com"}, id="another Origin"),
        pytest.param({"Origin": "null"}, id="a hidden Origin"),
        pytest.param({"Origin": HOST, "Sec-Fetch-Site": "cross-site"}, id="a browser that says cross-site"),
    ],
)
@pytest.mark.parametrize("path", EVERY)
def test_a_forged_request_does_nothing(path: str, headers: Mapping[str, str]) -> None:
    site = Site()
    answer = site.post(path, site.form(path), {**ADA, **headers})
    assert answer.status_code == 403
    assert "Nothing was done: the form was not sent by a page of this address" in answer.text
    assert site.acts.done == []


@pytest.mark.parametrize(
    "path, changes",
    [
        pytest.param(PAUSE, {"token": ""}, id="no token"),
        pytest.param(PAUSE, {"token": "0" * 64}, id="a token of one's own making"),
        pytest.param(PAUSE, {"token": "é"}, id="a token that is no token"),
        pytest.param(
            PAUSE,
            {"token": FormTokens().token(NOW, "ada@example.com", "pause", "web", spec("web").target.id, "")},
            id="before a restart",
        ),
    ],
)
def test_a_form_without_a_token_of_this_process_does_nothing(path: str, changes: Mapping[str, str]) -> None:
    site = Site()
    answer = site.act(path, **changes)
    assert answer.status_code == 403
    assert "this form is no longer valid" in answer.text
    assert site.acts.done == []


def test_the_form_of_one_person_does_nothing_for_another() -> None:
    site = Site()
    bob = {USER: "bob@example.com", GROUPS: "sre"}
    assert site.post(PAUSE, site.form(PAUSE), bob | SAME_SITE).status_code == 403
    assert site.post(PAUSE, site.form(PAUSE, bob), bob | SAME_SITE).status_code == 303
    assert [done[2].by for done in site.acts.done] == ["bob@example.com"]


def test_the_form_of_one_action_does_nothing_for_another() -> None:
    site = Site()
    assert site.post("/actions/pause", site.form(PAUSE)).status_code == 403
    assert site.post(RESUME, site.form(PAUSE)).status_code == 403
    assert site.acts.done == []


def test_an_act_is_on_the_image_that_was_shown() -> None:
    tokens = FormTokens()
    shown = Site(tokens=tokens).form("/scale-sets/web/actions/approve")
    later = Site(fleet(exact=FIX), tokens=tokens)
    assert later.post("/scale-sets/web/actions/approve", shown).status_code == 403
    assert later.acts.done == []
    assert later.act("/scale-sets/web/actions/approve").status_code == 303
    assert later.acts.done == [("approve", "web", FIX, "ada@example.com")]
    assert later.act("/scale-sets/web/actions/retry").status_code == 303
    assert later.acts.done[1:] == [("retry", "web", FIX)]


@pytest.mark.parametrize("action", ["approve", "retry"])
def test_a_version_that_nobody_is_shown_cannot_be_confirmed(action: str) -> None:
    path = f"/scale-sets/web/actions/{action}"
    site = Site(fleet(exact=replace(NEW, version="latest")))
    for answer in (site.get(path), site.post(path, {})):
        assert answer.status_code == 409
        assert "its version is not known yet; the daemon resolves latest" in answer.text
        assert "<form" not in answer.text
    assert site.acts.done == []


ADAS, BOBS = Pause("a deployment", "ada", NOW), Pause("do not touch", "bob", NOW + timedelta(minutes=5))


def paused(pause: Pause | None) -> Store:
    """The fleet, with a scale set that was paused by name."""
    (waits,) = fleet().states()
    assert waits.seen.model
    persisted = replace(waits.seen.model.persisted, pause=pause)
    read = replace(waits, seen=replace(waits.seen, model=replace(waits.seen.model, persisted=persisted)))
    return Store(Sweep(NOW, COMMIT, ""), _states=ScaleSetStates.of((read,)))


@pytest.mark.parametrize("path", [RESUME, "/actions/resume"])
@pytest.mark.parametrize("later", [pytest.param(BOBS, id="a newer pause"), pytest.param(None, id="no pause")])
def test_a_form_lifts_only_the_pause_that_it_shows(path: str, later: Pause | None) -> None:
    tokens = FormTokens()
    before = Site(paused(ADAS), tokens=tokens)
    form = before.form(path)
    assert "Web was paused by ada at 2026-01-05 09:00 UTC (a deployment)." in said(before, path)
    site = Site(paused(later), tokens=tokens)
    assert site.post(path, form).status_code == 403
    assert site.acts.done == []
    assert site.act(path).status_code == 303
    assert site.acts.done[0][2] == ((later,) if later else ())


def test_a_form_of_the_fleet_lifts_only_the_pause_that_it_shows() -> None:
    tokens, stores = FormTokens(), []
    for pause in (ADAS, BOBS):
        store = fleet(pause_tag=PauseTag(SUBSCRIPTION, "shop"))
        assert store.last_sweep
        store.last_sweep = replace(store.last_sweep, fleet_pause=FleetPause(pause))
        stores.append(store)
    form = Site(stores[0], tokens=tokens).form("/actions/resume")
    site = Site(stores[1], tokens=tokens)
    assert site.post("/actions/resume", form).status_code == 403
    assert site.act("/actions/resume").status_code == 303
    assert site.acts.done == [("resume", "", (BOBS,))]


@pytest.mark.parametrize("action", ["pause", "approve", "retry"])
def test_the_form_of_one_scale_set_does_nothing_to_another_of_the_same_name(action: str) -> None:
    path, tokens = f"/scale-sets/web/actions/{action}", FormTokens()
    form = Site(tokens=tokens).form(path)
    (waits,) = fleet().states()
    target = replace(waits.desired.target, resource_group="other")
    moved = replace(waits, desired=replace(waits.desired, target=target))
    site = Site(Store(Sweep(NOW, COMMIT, ""), _states=ScaleSetStates.of((moved,))), tokens=tokens)
    assert site.post(path, form).status_code == 403
    assert site.acts.done == []


@pytest.mark.parametrize(
    "age, status",
    [
        pytest.param(timedelta(hours=1), 303, id="an hour"),
        pytest.param(timedelta(hours=1, seconds=1), 403, id="more than an hour"),
    ],
)
def test_a_form_is_valid_for_an_hour(age: timedelta, status: int) -> None:
    site = Site()
    form = site.form(PAUSE)
    site.now += age
    assert site.post(PAUSE, form).status_code == status


@pytest.mark.parametrize(
    "headers, peer, who",
    [
        pytest.param({}, PROXY, "you are not signed in, and may not", id="nobody"),
        pytest.param({USER: "bob", GROUPS: "dev"}, PROXY, "bob may not", id="a user without a grant"),
        pytest.param(ADA, "10.9.9.9", "you are not signed in, and may not", id="a header from elsewhere"),
    ],
)
@pytest.mark.parametrize("path", EVERY)
def test_without_permission_nothing_is_done_and_the_page_says_who_may(
    path: str, headers: Mapping[str, str], peer: str, who: str
) -> None:
    site, action = Site(peer=peer), path.partition("?")[0].rpartition("/")[2]
    said = f"{who} {action}; the permission <code>{action}</code> is granted to group sre"
    for answer in (site.get(path, headers), site.post(path, {"token": "x"}, {**headers, **SAME_SITE})):
        assert answer.status_code == 403
        assert said in answer.text
        assert "<form" not in answer.text
    assert site.acts.done == []


def test_a_permission_is_for_one_action() -> None:
    site = Site(grants=["pause=user:ada@example.com"])
    assert site.act(PAUSE).status_code == 303
    assert site.post(RESUME, {}).status_code == 403


@pytest.mark.parametrize(
    "reason, error",
    [
        pytest.param("", "Enter a reason", id="none"),
        pytest.param("  ", "Enter a reason", id="spaces"),
        pytest.param("x" * 200, "too long", id="one that no tag holds"),
        pytest.param(";" * 60, "too long", id="one that no tag holds once it is escaped"),
    ],
)
def test_a_pause_needs_a_reason(reason: str, error: str) -> None:
    site = Site()
    answer = site.act(PAUSE, reason=reason)
    assert answer.status_code == 400
    assert error in answer.text
    assert '<input type="hidden" name="token"' in answer.text
    assert site.acts.done == []


def test_a_reason_is_one_line() -> None:
    site = Site()
    site.act(PAUSE, reason="down\r\nagain\x1b[2J")
    assert site.acts.done[0][2].reason == "down again\\x1b[2J"


@pytest.mark.parametrize(
    "headers, content",
    [
        pytest.param({"Content-Type": "application/json"}, b"{}", id="JSON"),
        pytest.param({"Content-Type": "text/plain"}, b"token=x", id="text"),
        pytest.param(
            {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&" * 5000, id="a large form"
        ),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&" * 100, id="many fields"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, b"\xff", id="no text"),
    ],
)
def test_what_is_not_our_form_does_nothing(headers: Mapping[str, str], content: bytes) -> None:
    site = Site()
    answer = site.client.post(PAUSE, content=content, headers={**ADA, **SAME_SITE, **headers})
    assert answer.status_code == 400
    assert "the request was not sent by the form on this page" in answer.text
    assert site.acts.done == []


@pytest.mark.parametrize(
    "path",
    [
        "/actions/approve",
        "/actions/reconcile",
        "/actions/upgrade",
        "/actions/delete",
        "/scale-sets/web/actions/delete",
        "/scale-sets/api/actions/pause",
        "/scale-sets/web/actions/Pause",
    ],
)
def test_what_is_no_action_is_not_found(path: str) -> None:
    site = Site()
    assert site.get(path).status_code == 404
    assert site.post(path, {}).status_code == 404


def test_without_sign_in_there_is_no_action() -> None:
    client = TestClient(Starlette(routes=PageSite(fleet(), lambda: NOW).routes), client=(PROXY, 1))
    for path in EVERY:
        assert client.get(path, headers=ADA).status_code == 404
        assert client.post(path, headers=ADA | SAME_SITE).status_code == 404
    shown = client.get("/scale-sets/web", headers=ADA).text
    assert "/actions/" not in shown
    assert "igned in" not in shown


def test_a_standby_does_nothing_and_names_the_leader() -> None:
    site = Site(acts=Acted(standby="this replica is on standby: replica-1 leads; ask the leader"))
    for answer in (site.get(PAUSE), site.post(PAUSE, {})):
        assert answer.status_code == 421
        assert "this replica is on standby: replica-1 leads" in answer.text
    assert site.acts.done == []


@pytest.mark.parametrize("action", ["resume", "approve", "retry", "upgrade"])
def test_what_the_fleet_bars_is_not_offered(action: str) -> None:
    path = f"/scale-sets/web/actions/{action}"
    site = Site(fleet(barred=frozenset({action})))
    for answer in (site.get(path), site.post(path, {})):
        assert answer.status_code == 409
        assert f"spec.barredCommands of the Fleet bars <code>reconciler {action}</code>" in answer.text
    assert site.acts.done == []
    assert f"act-{action}" not in site.get("/scale-sets/web").text


def test_what_needs_no_approval_is_not_approved() -> None:
    store = store_of(observed("web", rolling_instances(), "UpToDate", "it goes on"))
    assert Site(store).get("/scale-sets/web/actions/approve").status_code == 409


def body_class(document: str) -> str:
    found = re.search('<body class="([^"]*)"', document)
    return found[1] if found else ""


def test_the_frame_says_who_reads_it_and_shows_what_that_person_may_do() -> None:
    site = Site(grants=["pause=group:sre", "approve=user:ada@example.com", "retry=user:bob"])
    shown = site.get("/scale-sets/web").text
    assert "Signed in as <b>ada@example.com</b>" in shown
    assert body_class(shown) == "may-pause may-approve"
    assert body_class(site.get("/", {USER: "bob"}).text) == "may-retry"
    anonymous = site.get("/scale-sets/web", {}).text
    assert "Not signed in</p>" in anonymous
    assert body_class(anonymous) == ""


def test_the_sheet_shows_each_action_to_those_who_may_take_it() -> None:
    """All readers share the buttons, and by default the sheet hides each of them."""
    sheet = Site().get("/static/page.css").text
    assert ".act { display: none;" in sheet
    shown = re.search(r"^(.*) \{ display: inline-block; \}$", sheet, re.MULTILINE)
    assert shown
    assert shown[1] == ", ".join(f".may-{each} .act-{each}" for each in Action)


def test_the_frame_says_why_a_header_does_not_count() -> None:
    shown = Site(peer="10.9.9.9").get("/").text
    assert "Not signed in: X-Forwarded-Email came from 10.9.9.9" in shown


def test_a_scale_set_leads_to_the_actions_that_fit_its_status() -> None:
    assert links(Site(), "/scale-sets/web") == ["approve", "upgrade", "pause", "reconcile"]
    paused = observed("web", rolling_instances(), "Paused", "it is paused")
    assert links(Site(store_of(paused)), "/scale-sets/web") == ["resume", "reconcile"]
    failed = observed("web", rolling_instances(), "HealthCheckFailed", "it failed", blamed=NEW)
    assert links(Site(store_of(failed)), "/scale-sets/web") == ["retry", "upgrade", "pause", "reconcile"]


def test_the_fleet_leads_to_a_pause_or_to_its_end() -> None:
    assert links(Site(), "/") == ["pause"]
    store = fleet()
    assert store.last_sweep
    store.last_sweep = replace(store.last_sweep, fleet_pause=FleetPause(Pause("down", "bob", NOW)))
    assert links(Site(store), "/") == ["resume"]


def links(site: Site, path: str) -> list[str]:
    return re.findall('<a class="act act-([a-z]+)"', site.get(path).text)


def said(site: Site, path: str) -> str:
    """What a form says that it will do."""
    text = site.get(path).text
    text = re.sub("<[^>]*>", " ", text[text.index("<main") : text.index("<form")])
    return " ".join(text.split())


def test_a_form_says_what_it_will_do() -> None:
    site = Site()
    assert "Pause web? No changes are made to web until someone resumes it." in said(site, PAUSE)
    assert "As last counted, 16 of 40 instances are up to date." in said(site, PAUSE)
    assert "Only 24.04.202601140 is approved." in said(site, EVERY[2])
    assert "The rollout of 40 instances begins." in said(site, EVERY[2])
    assert "because the Fleet names no spec.pauseTag" in said(site, "/actions/pause")


def test_the_form_of_a_pause_names_the_batch_that_azure_finishes() -> None:
    site = Site(varied())
    batch = "Azure finishes the batch under way: 8 instances (2, 7, 12, 17 and 4 more)."
    assert batch in said(site, "/scale-sets/checkout-api/actions/pause")
    assert "Azure finishes the batches under way in checkout-api." in said(site, "/actions/pause")


CHOICE = "/scale-sets/web/actions/upgrade"


def test_instances_are_chosen_in_the_heat_map() -> None:
    shown = Site().get(CHOICE).text
    assert 'href="?domain=update+domain+3"' in shown
    assert 'href="?domain=fault+domain+1"' in shown
    boxes = re.findall('<input type="checkbox" name="instance" value="([0-9]+)"( disabled)?>', shown)
    assert len(boxes) == 40
    assert ("3", "") in boxes
    assert ("0", " disabled") in boxes, "it is up to date"
    assert '<form method="get">' in shown
    assert "token" not in shown


def test_a_placement_group_is_part_of_the_domain() -> None:
    shown = Site(large_set()).get("/scale-sets/huge/actions/upgrade").text
    assert 'href="?domain=update+domain+3%2C+placement+group+00000002"' in shown
    site = Site(large_set())
    path = "/scale-sets/huge/actions/upgrade?domain=update+domain+3,+placement+group+00000002"
    assert "20 instances in update domain 3, placement group 00000002 to be upgraded next" in said(site, path)
    assert site.act(path).status_code == 303


@pytest.mark.parametrize(
    ("query", "says_so"),
    [
        pytest.param("", False, id="the first time"),
        pytest.param("?chosen=1", True, id="after the button was pressed"),
    ],
)
def test_the_page_says_why_nothing_follows_without_a_checked_instance(query: str, says_so: bool) -> None:
    shown = Site().get(f"{CHOICE}{query}").text
    assert ("No instance is checked. Check at least one, or choose a domain by its name." in shown) is says_so
    assert '<button name="chosen" value="1">' in shown


def test_the_button_of_the_choice_is_no_part_of_the_upgrade() -> None:
    site = Site()
    assert site.act(f"{CHOICE}?instance=3&chosen=1").status_code == 303
    assert site.acts.done == [("upgrade", "web", "", ("3",), "ada@example.com")]


def test_a_choice_that_was_not_made_upgrades_nothing() -> None:
    site = Site()
    assert site.post(CHOICE, site.form(DOMAIN)).status_code == 403
    assert site.acts.done == []


def test_a_form_says_which_instances_it_upgrades() -> None:
    text = said(Site(), DOMAIN)
    assert (
        "8 instances in update domain 3 to be upgraded next to 24.04.202601140: 3, 8, 13, 18 and 4 more."
        in text
    )
    assert "Every rule of the rollout applies" in text
    assert "Now it stands still: AwaitingApproval: it needs approval." in text
    some = said(Site(), f"{CHOICE}?instance=8&instance=7&instance=0&instance=11&instance=8")
    assert "2 instances to be upgraded next to 24.04.202601140: 8 and 7." in some
    assert "Not healthy now: 7." in some
    assert "Not upgraded: 0 and 11 (already up to date)." in some


@pytest.mark.parametrize(
    "query, why",
    [
        pytest.param("domain=update+domain+9", "no instance is in update domain 9", id="a domain that there is not"),
        pytest.param("instance=99", "99 is not an instance of the scale set", id="an instance that there is not"),
        pytest.param("instance=0", "no upgrade reaches 0 (already up to date)", id="one that is up to date"),
        pytest.param("instance=3&domain=zone+1", "choose either a domain or instances", id="both"),
    ],
)  # fmt: skip
def test_what_cannot_be_picked_is_refused(query: str, why: str) -> None:
    site = Site()
    for answer in (site.get(f"{CHOICE}?{query}"), site.post(f"{CHOICE}?{query}", {})):
        assert answer.status_code == 409
        assert why in answer.text
        assert "<form" not in answer.text
    assert site.acts.done == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("instance=3&instance=8&instance=13", id="one more"),
        pytest.param("instance=3", id="one less"),
        pytest.param("domain=update+domain+3", id="their domain"),
    ],
)
def test_a_form_upgrades_only_the_instances_that_it_shows(other: str) -> None:
    site = Site()
    form = site.form(f"{CHOICE}?instance=3&instance=8")
    assert site.post(f"{CHOICE}?{other}", form).status_code == 403
    assert site.acts.done == []


Change = Callable[[ScaleSetState], ScaleSetState]


def joined(state: ScaleSetState) -> ScaleSetState:
    """An instance has joined update domain 3."""
    (third,) = (each for each in state.seen.instances if each.id == "3")
    instances = (*state.seen.instances, replace(third, id="93"))
    return replace(state, seen=replace(state.seen, instances=instances))


def left(state: ScaleSetState) -> ScaleSetState:
    """An instance of update domain 3 is gone."""
    instances = tuple(each for each in state.seen.instances if each.id != "8")
    return replace(state, seen=replace(state.seen, instances=instances))


def picked_by(by: str, *ids: str, at: datetime = NOW) -> Change:
    """Somebody has picked these instances, or 13."""
    pick = PickState(Pick(frozenset(ids or ("13",)), by, at), NEW, NOW)
    return lambda state: replace(state, pick=pick)


LATER = NOW + timedelta(minutes=1)


@pytest.mark.parametrize("path", [DOMAIN, f"{CHOICE}?instance=3&instance=8"], ids=["a domain", "instances"])
@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        pytest.param(replace, replace, 303, id="nothing changed"),
        pytest.param(replace, picked_by("bob"), 403, id="somebody else picked"),
        pytest.param(picked_by("bob"), picked_by("bob"), 303, id="the pick that was shown stays"),
        pytest.param(picked_by("bob"), replace, 403, id="the pick that was shown is over"),
        pytest.param(picked_by("bob"), picked_by("eve"), 403, id="another person's pick took its place"),
        pytest.param(picked_by("bob"), picked_by("bob", at=LATER), 403, id="a newer pick of the same person"),
        pytest.param(picked_by("bob"), picked_by("bob", "18"), 403, id="other instances are picked"),
    ],
)
def test_a_form_replaces_only_the_pick_that_it_shows(
    path: str, before: Change, after: Change, status: int
) -> None:
    tokens, (state,) = FormTokens(), fleet().states()
    form = Site(store_of(before(state)), tokens=tokens).form(path)
    site = Site(store_of(after(state)), tokens=tokens)
    assert site.post(path, form).status_code == status
    assert len(site.acts.done) == (status == 303)


@pytest.mark.parametrize("change", [joined, left])
def test_a_form_of_a_domain_upgrades_only_the_instances_that_it_shows(change: Change) -> None:
    tokens, (state,) = FormTokens(), fleet().states()
    form = Site(store_of(state), tokens=tokens).form(DOMAIN)
    site = Site(store_of(change(state)), tokens=tokens)
    assert site.post(DOMAIN, form).status_code == 403
    assert site.acts.done == []


def test_a_pick_is_shown_and_the_form_says_that_another_replaces_it() -> None:
    store = fleet()
    (waits,) = store.states()
    pick = PickState(Pick(frozenset({"3", "8"}), "bob", NOW), NEW, NOW)
    store = store_of(replace(waits, pick=pick))
    assert (
        "instances 3 and 8, picked by bob at 09:00:00 UTC; ends at" in Site(store).get("/scale-sets/web").text
    )
    assert "This replaces an earlier pick: instances 3 and 8, picked by bob" in said(Site(store), DOMAIN)


def test_a_notice_is_shown_to_the_person_who_acted() -> None:
    result = ActResult(("this daemon starts no further writes",), ("web: Azure returned a refusal",))
    site = Site(acts=Acted(result=result))
    address = site.act("/actions/pause").headers["location"]
    assert address.startswith("/?notice=")
    shown = site.get(address).text
    assert "<b>Pause the whole fleet</b>" in shown
    assert "Not done:</b> web: Azure returned a refusal" in shown
    assert "this daemon starts no further writes" in shown
    assert 'data-page="/"' in shown, "the page itself has no notice"
    assert 'id="notice"' not in site.get(address, {USER: "bob@example.com", GROUPS: "sre"}).text
    assert 'id="notice"' not in site.get(address, {}).text
    assert 'id="notice"' not in site.get("/?notice=<b>hello</b>").text


def test_a_notice_keeps_the_rest_of_the_address() -> None:
    assert 'data-page="/?q=web&amp;sort=name"' in Site().get("/?q=web&notice=x&sort=name").text


def test_what_others_have_written_is_text() -> None:
    site = Site(acts=Acted(result=ActResult((HOSTILE,), (HOSTILE,))))
    again = site.act(PAUSE, reason=HOSTILE)
    assert_text(site.get(again.headers["location"]).text, scripts=1)
    assert_text(site.act(PAUSE, reason=HOSTILE * 9).text, scripts=0)


NAMED = HOSTILE.replace("\u202e", "")
"""What a header can have."""


@pytest.mark.parametrize(
    "action", [*Action, "pause the fleet", "resume the fleet", "upgrade?domain", "upgrade?instance"]
)
def test_a_hostile_text_on_a_form_is_a_text(action: str) -> None:
    """The reader has a hostile name too, and so has whoever may take the action."""
    store = hostile(exact=replace(NEW, version=HOSTILE))
    name = quote(store.states()[0].desired.name, safe="")
    path = (
        f"/scale-sets/{name}/actions/{action}={quote(HOSTILE)}"
        if "?" in action
        else f"/scale-sets/{name}/actions/{action}"
    )
    if action.endswith(" the fleet"):
        path = f"/actions/{action.partition(' ')[0]}"
    reader = {USER: NAMED, GROUPS: "sre"}
    for site in (
        Site(store),
        Site(store, grants=["pause=user:x"] if action != "pause" else ["resume=user:x"]),
        Site(store, grants=[f"{each}=group:{NAMED.replace(',', '')}" for each in Action]),
        Site(store, acts=Acted(standby=HOSTILE)),
        Site(store, peer="10.9.9.9"),
    ):
        for answer in (site.get(path, reader), site.post(path, {"token": HOSTILE}, reader | SAME_SITE)):
            assert answer.status_code in {200, 403, 409, 421}
            assert_text(answer.text, scripts=0)


def test_each_act_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    result = ActResult(("this daemon starts no further writes",), ("web: refused",))
    Site(acts=Acted(result=result)).act("/actions/pause")
    Site().act(PAUSE)
    site = Site()
    site.post(PAUSE, site.form(PAUSE), ADA | {"Origin": "https://evil.example.com"})
    Site().post(PAUSE, {}, SAME_SITE)
    formatter = log_lines("json").formatter
    assert formatter
    lines = [json.loads(formatter.format(each)) for each in caplog.records]
    assert [
        (line["level"], line["user"], line["action"], line.get("scaleSet"), line["outcome"]) for line in lines
    ] == [
        ("warning", "ada@example.com", "pause", None, "partial"),
        ("info", "ada@example.com", "pause", "web", "done"),
        ("warning", "ada@example.com", "pause", "web", "refused"),
    ]
    assert lines[0]["msg"] == (
        "ada@example.com on the page: pause the fleet: partial: web: refused; this daemon starts no further writes"
    )


def test_a_large_fleet_is_paused_with_how_long_that_takes() -> None:
    states = [observed(f"s{number}", (), "UpToDate", "0 of 0") for number in range(250)]
    assert "250 tags take at least 5s to write, because Azure allows 200 writes at once" in said(
        Site(store_of(*states)), "/actions/pause"
    )


def test_the_pause_tag_of_the_fleet_is_named() -> None:
    shown = said(Site(fleet(pause_tag=PauseTag(SUBSCRIPTION, "shop"))), "/actions/pause")
    assert "(1 scale set, and any declared later)" in shown
    assert "is written to the resource group shop." in shown


def test_the_clock_of_the_daemon_dates_a_pause() -> None:
    site = Site()
    site.act(PAUSE)
    assert site.acts.done[0][2].at == NOW.replace(microsecond=0)
    assert timedelta() == NOW - site.acts.done[0][2].at
