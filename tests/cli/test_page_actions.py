"""A person acts on the page of the real daemon, behind a proxy that signs people in."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.rollout.pause import pause_in
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.tags import persisted_state, with_state
from reconciler.spec.image import PlatformImage
from tests.cli.program import Azure, Daemon, azure, invoke, until, write_specs
from tests.stories.world import BASE, NEW, OLD, ROLE, scale_set, spec

ADA = {"X-Forwarded-Email": "ada@example.com", "X-Forwarded-Groups": "dev,sre"}
GRANTS = [f"{action}=group:sre" for action in ("pause", "resume", "approve", "retry", "reconcile", "upgrade")]
OPTIONS = (
    *("--page-user-header", "X-Forwarded-Email", "--page-groups-header", "X-Forwarded-Groups"),
    *("--page-proxy", "127.0.0.1"),
    *(word for each in GRANTS for word in ("--page-grant", each)),
)
TAGS = [*ROLE, "Microsoft.Resources/tags/write"]
IMAGE = PlatformImage(**BASE, version=NEW)
FAILED = with_state(
    {}, PersistedState(failed=Fingerprint.of(IMAGE), last_good=PlatformImage(**BASE, version=OLD))
)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """A browser behind the proxy, which adds its headers to each request."""

    def __init__(self, daemon: Daemon, headers: Mapping[str, str] = ADA) -> None:
        self._daemon = daemon
        self._headers = headers

    def send(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of the page that is shown at the end."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self._daemon.url + path, data, {**self._headers, **headers})
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def act(self, path: str, **fields: str) -> str:
        """Read the form at this path, and send it. Returns the notice."""
        status, form = self.send(path)
        assert status == 200, form
        found = re.search('name="token" value="([^"]*)"', form)
        assert found
        status, shown = self.send(path, {"token": found[1], **fields}, Origin=self._daemon.url)
        assert status == 200, shown
        notice = re.search('<div id="notice".*?</div>', shown, re.DOTALL)
        assert notice, shown
        return " ".join(re.sub("<[^>]*>", " ", notice[0]).split())


@contextmanager
def started(
    cwd: Path, *documents: Any, rights: Sequence[str] = TAGS, tags: Mapping[str, str] | None = None
) -> Iterator[tuple[Azure, Daemon]]:
    """A daemon that signs people in and sweeps once an hour, so that it follows only what it is told."""
    described = scale_set(capacity=3, tags=dict(tags or {}))
    with azure(described, permissions={"actions": list(rights)}) as world:
        specs = write_specs(cwd / "specs", *documents)
        arguments = ("--specs", specs, "--sweep", "1h", "--log-format", "json", *OPTIONS)
        with Daemon(*arguments, env=world.environment, cwd=cwd).started() as running:
            yield world, running


def log_of(running: Daemon) -> list[tuple[str, ...]]:
    """Who did what, and the result."""
    lines = [json.loads(line) for line in running.path.read_text().splitlines()]
    return [
        (line["user"], line["action"], line.get("scaleSet", ""), line["outcome"])
        for line in lines
        if "action" in line
    ]


def reason(running: Daemon) -> str:
    """The reason of the scale set, "" before it is read."""
    return next((str(row["reason"]) for row in running.status()["scaleSets"]), "")


def test_a_scale_set_is_paused_resumed_reconciled_and_approved(tmp_path: Path) -> None:
    with started(tmp_path, spec(rollout={"approval": "start"})) as (world, running):
        browser = Browser(running)
        until(lambda: running.status_of("web") == "Waiting" or None, running.log)
        notice = browser.act("/scale-sets/web/actions/pause", reason="checkout is down")
        assert notice.endswith("web: paused by ada@example.com")
        pause = pause_in(world.simulator.scale_set("web").tags)
        assert pause
        assert (pause.by, pause.reason) == ("ada@example.com", "checkout is down")
        until(lambda: reason(running) == "Paused" or None, running.log)
        notice = browser.act("/scale-sets/web/actions/resume")
        assert "web: resumed; it was paused by ada@example.com at " in notice
        assert pause_in(world.simulator.scale_set("web").tags) is None
        until(lambda: reason(running) == "AwaitingApproval" or None, running.log)
        assert "web: reconciled now" in browser.act("/scale-sets/web/actions/reconcile")
        notice = browser.act("/scale-sets/web/actions/approve")
        assert f"web: {NEW} is approved by ada@example.com through application " in notice
        until(lambda: world.images("web") == {NEW} or None, running.log)
        signature = persisted_state(world.simulator.scale_set("web").tags).signature
        assert signature
        assert signature.by == "ada@example.com"
        acts = ("pause", "resume", "reconcile", "approve")
        assert log_of(running) == [("ada@example.com", act, "web", "done") for act in acts]


def test_a_failed_image_is_retried(tmp_path: Path) -> None:
    with started(tmp_path, spec(rollout={"onFailure": "rollback"}), tags=FAILED) as (world, running):
        until(lambda: reason(running) == "RolloutFailed" or None, running.log)
        notice = Browser(running).act("/scale-sets/web/actions/retry")
        assert f"web: earlier failures of {NEW} no longer count, " in notice
        until(lambda: world.images("web") == {NEW} or None, running.log)
        assert persisted_state(world.simulator.scale_set("web").tags).failed is None


def test_a_domain_that_a_person_picks_goes_first(tmp_path: Path) -> None:
    with started(tmp_path, spec(rollout={"approval": "start"})) as (world, running):
        until(lambda: reason(running) == "AwaitingApproval" or None, running.log)
        browser = Browser(running)
        _, choice = browser.send("/scale-sets/web/actions/upgrade")
        assert "domain=update+domain+2" in choice
        path = "/scale-sets/web/actions/upgrade?domain=update%20domain%202"
        assert "(update domain 2), picked by ada@example.com at " in browser.act(path)
        browser.act("/scale-sets/web/actions/approve")
        until(lambda: world.images("web") == {NEW} or None, running.log)
        bodies = [each for each in running.log() if "upgrading" in each]
        assert "update domain 2" in bodies[0]
        assert ("ada@example.com", "upgrade", "web", "done") in log_of(running)


def test_the_fleet_is_paused_although_the_daemon_may_not_write_the_tag(tmp_path: Path) -> None:
    with started(tmp_path, spec(rollout={"approval": "start"}), rights=ROLE) as (_, running):
        until(lambda: running.status_of("web") == "Waiting" or None, running.log)
        notice = Browser(running).act("/actions/pause", reason="checkout is down")
        assert "Not done: web: Azure returned" in notice
        assert "&#39;Microsoft.Resources/tags/write&#39;" in notice
        assert "this daemon starts no further writes" in notice
        until(lambda: reason(running) == "Paused" or None, running.log)
        assert log_of(running) == [("ada@example.com", "pause", "", "partial")]


def test_a_reader_cannot_send_what_only_an_operator_may(tmp_path: Path) -> None:
    """EasyAuth names the reader by this header. A sidecar may pass requests on with no other."""
    proxied = ("--page-user-header", "X-MS-CLIENT-PRINCIPAL-NAME", "--page-proxy", "127.0.0.1")
    with azure(scale_set(capacity=1)) as world:
        specs = write_specs(tmp_path / "specs", spec())
        running = Daemon("--specs", specs, *proxied, env=world.environment, cwd=tmp_path)
        with running.started():
            eve = {"X-MS-CLIENT-PRINCIPAL-NAME": "eve", "Content-Type": "application/json"}
            request = urllib.request.Request(f"{running.url}/pause", b"{}", eve)
            with pytest.raises(urllib.error.HTTPError) as refused, _DIRECT.open(request, timeout=30):
                pass
            with refused.value as answer:
                assert answer.code == 403
                assert "a proxy has passed this on" in answer.read().decode()


def test_what_does_not_come_from_the_proxy_is_read_only(tmp_path: Path) -> None:
    elsewhere = ("--page-proxy", "192.0.2.1")
    with azure(scale_set(capacity=1)) as world:
        specs = write_specs(tmp_path / "specs", spec())
        options = [each for each in OPTIONS if each not in {"--page-proxy", "127.0.0.1"}]
        running = Daemon("--specs", specs, *options, *elsewhere, env=world.environment, cwd=tmp_path)
        with running.started():
            until(lambda: running.status_of("web"), running.log)
            status, shown = Browser(running).send("/scale-sets/web/actions/pause")
            assert status == 403
            assert "Not signed in: X-Forwarded-Email came from 127.0.0.1" in shown


@pytest.mark.parametrize(
    "options, error",
    [
        pytest.param(
            ["--page-user-header", "X-User"],
            "--page-user-header needs --page-proxy: any client could send the header otherwise",
            id="a header from everywhere",
        ),
        pytest.param(
            ["--page-grant", "pause=user:ada"],
            "--page-groups-header, --page-proxy and --page-grant need --page-user-header: without it, nobody can sign in",
            id="a grant without sign-in",
        ),
        pytest.param(
            ["--page-user-header", "X-User", "--page-proxy", "::1", "--page-grant", "pause=group:sre"],
            "a --page-grant to a group needs --page-groups-header",
            id="a grant to a group that nobody names",
        ),
        pytest.param(
            ["--page-user-header", "X_User"],
            "Invalid value for '--page-user-header' (env var: 'VMSS_RECONCILER_PAGE_USER_HEADER'): \"X_User\" is not the name of a header; "
            "write letters, digits and hyphens",
            id="a header with an underscore",
        ),
        pytest.param(
            ["--page-proxy", "10.0.0.1/8"],
            "Invalid value for '--page-proxy' (env var: 'VMSS_RECONCILER_PAGE_PROXIES'): \"10.0.0.1/8\" has host bits set: write 10.0.0.0/8",
            id="a network with host bits",
        ),
        pytest.param(
            ["--page-grant", "everything=group:sre"],
            "Invalid value for '--page-grant' (env var: 'VMSS_RECONCILER_PAGE_GRANTS'): \"everything=group:sre\" names no action; write pause, resume, "
            "approve, retry, reconcile or upgrade, as in pause=group:sre",
            id="a grant of no action",
        ),
    ],
)
def test_settings_that_do_not_fit(options: list[str], error: str, tmp_path: Path) -> None:
    done = invoke("run", "--once", *options, env={}, cwd=tmp_path)
    assert (done.code, done.err[-1]) == (2, f"error: {error}")


def test_variables_name_several_proxies_and_groups_with_spaces(tmp_path: Path) -> None:
    with azure(scale_set(capacity=1), permissions={"actions": TAGS}) as world:
        specs = write_specs(tmp_path / "specs", spec())
        variables = {
            "VMSS_RECONCILER_PAGE_USER_HEADER": "X-Forwarded-Email",
            "VMSS_RECONCILER_PAGE_GROUPS_HEADER": "X-Forwarded-Groups",
            "VMSS_RECONCILER_PAGE_PROXIES": "192.0.2.0/24 127.0.0.0/8,::1",
            "VMSS_RECONCILER_PAGE_GRANTS": "pause=group:Site Reliability, resume=user:bob",
        }
        env = {**world.environment, **variables}
        with Daemon("--specs", specs, env=env, cwd=tmp_path).started() as running:
            until(lambda: running.status_of("web"), running.log)
            member = Browser(running, {**ADA, "X-Forwarded-Groups": "Site Reliability"})
            assert "paused by ada@example.com" in member.act("/scale-sets/web/actions/pause", reason="x")
            assert member.send("/scale-sets/web/actions/resume")[0] == 403
