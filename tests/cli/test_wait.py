"""`reconciler wait` and `reconciler history`: what a daemon says over time."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.cli.acts import wait as act
from reconciler.cli.awaited import Awaited, AwaitedState
from reconciler.rollout.reason import Reason
from tests.cli.program import Ended

RECORD = {
    "from": "Canonical:ubuntu:server:1",
    "image": "Canonical:ubuntu:server:2",
    "commit": "0123456789abcdef",
    "began": "2026-01-05T09:00:00+00:00",
    "ended": "2026-01-05T09:30:00+00:00",
    "result": "completed",
    "seconds": 1800.0,
    "instances": 20,
}
FOUND = RECORD | {"from": None, "ended": None, "result": None, "seconds": None, "instances": None}


def row(name: str, status: str | None, **conditions: str) -> dict[str, Any]:
    return {
        "name": name,
        "status": status,
        "reason": "Reason",
        "message": "words",
        "conditions": [{"type": kind, "status": value} for kind, value in conditions.items()],
        "history": {"web": [RECORD], "db": [FOUND]}.get(name, []),
    }


@contextmanager
def daemon(*stores: Sequence[dict[str, Any]] | None) -> Iterator[str]:
    """The URL of a daemon that answers with these rows, one after another, and with the last for ever. None is a page
    of something else, as while the daemon restarts."""
    left = list(stores)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            rows = left.pop(0) if len(left) > 1 else left[0]
            body = (
                b"gone" if rows is None else json.dumps({"sweep": {"errors": []}, "scaleSets": rows}).encode()
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act, "_INTERVAL", 0.01)


def invoke(server: str, *arguments: str) -> Ended:
    done = CliRunner().invoke(main, [*arguments, "--server", server], env={})
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def test_it_waits_until_all_are_settled_and_tells_each_once() -> None:
    web, api = row("web", "Ready"), row("api", "Suspended")
    with daemon(
        [row("api", "Waiting"), row("web", "Reconciling")], [row("api", "Failing"), web], None, [api, web]
    ) as url:
        done = invoke(url, "wait", "--all")
    assert done == Ended(0, ["web: Ready: Reason: words", "api: Suspended: Reason: words"], [])


def test_a_scale_set_that_is_stalled_is_settled_and_a_failure() -> None:
    with daemon([row("web", "Stalled")]) as url:
        assert invoke(url, "wait", "web") == Ended(1, ["web: Stalled: Reason: words"], [])


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        pytest.param("Suspended", 0, id="a suspension that the spec declares"),
        pytest.param("Frozen", 0, id="a freeze that the Fleet declares"),
        pytest.param("Paused", 1, id="a pause that nothing declares"),
        pytest.param("PauseUnknown", 1, id="a pause tag that was never read"),
    ],
)
def test_the_end_of_a_wait_for_a_scale_set_on_hold(reason: str, code: int) -> None:
    status = Reason(reason).meaning.status
    with daemon([row("web", status) | {"reason": reason}]) as url:
        done = invoke(url, "wait", "web")
    assert done == Ended(code, [f"web: {status}: {reason}: words"], [])


def test_it_waits_for_those_whose_labels_fit() -> None:
    with daemon([row("web", "Ready") | {"labels": {"team": "web"}}, row("api", "Waiting")]) as url:
        assert invoke(url, "wait", "-l", "team=web") == Ended(0, ["web: Ready: Reason: words"], [])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param(["--all", "-l", "team=web"], "pass names or --selector, or --all", id="both"),
        pytest.param([], "pass names or --selector, or --all for every scale set", id="none"),
        pytest.param(["-l", "team=db"], "no scale set matches; run `reconciler status`", id="nothing fits"),
    ],
)
def test_what_is_not_waited_for(line: list[str], error: str) -> None:
    with daemon([row("web", "Ready") | {"labels": {"team": "web"}}]) as url:
        done = invoke(url, "wait", *line)
    assert (done.code > 0, done.out) == (True, [])
    assert done.err[-1].startswith(f"error: {error}")


@pytest.mark.parametrize(
    ("state", "code"),
    [
        pytest.param("status=failing", 0, id="a status"),
        pytest.param("status=Ready", 1, id="another status"),
        pytest.param("condition=healthy=false", 0, id="a condition"),
        pytest.param("condition=Drifted", 0, id="a condition that is true"),
        pytest.param("condition=Healthy", 1, id="a condition that is false"),
    ],
)
def test_it_waits_for_a_state(state: str, code: int) -> None:
    with daemon([row("web", "Failing", Healthy="False", Drifted="True")]) as url:
        done = invoke(url, "wait", "web", "--for", state, "--timeout", "1s")
    assert done.code == code
    assert done.err == (["error: still waiting for web after 1s"] if code else [])


def test_a_daemon_that_disappears_is_awaited_until_the_timeout() -> None:
    with daemon([row("web", "Waiting")], None) as url:
        done = invoke(url, "wait", "web", "--timeout", "1s")
    assert done == Ended(1, [], [f"error: no daemon responds at {url} after 1s"])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["wait"], "pass names or --selector, or --all", id="nothing"),
        pytest.param(["wait", "web", "--all"], "pass names or --selector, or --all", id="names and all"),
        pytest.param(["wait", "wbe"], "did you mean web?", id="an unknown name"),
        pytest.param(["wait", "web", "--for", "done"], "is not a state", id="an unknown state"),
        pytest.param(["wait", "web", "--for", "status=Done"], "is not a state", id="an unknown status"),
        pytest.param(
            ["wait", "web", "--for", "condition=Ready=Yes"], "is not a state", id="an unknown value"
        ),
        pytest.param(["history", "wbe"], "did you mean web?", id="the history of an unknown name"),
    ],
)
def test_bad_input(arguments: list[str], error: str) -> None:
    with daemon([row("web", "Waiting")]) as url:
        done = invoke(url, *arguments)
    assert done.code != 0
    assert error in done.err[-1]


@pytest.mark.parametrize("verb", ["wait", "history"])
def test_without_a_daemon_it_says_so(verb: str) -> None:
    done = invoke("http://127.0.0.1:1", verb, "web")
    assert done.code == 1
    assert done.err[0].startswith("error: no daemon responds at http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "awaited"),
    [
        ("settled", Awaited("settled")),
        ("STATUS=ready", Awaited("status", value="Ready")),
        ("condition=ready", Awaited("condition", "Ready", "True")),
        ("condition=Ready=unknown", Awaited("condition", "Ready", "Unknown")),
    ],
)
def test_how_a_state_is_written(text: str, awaited: Awaited) -> None:
    assert AwaitedState().convert(text, None, None) == awaited


def test_the_history_is_a_table_or_json() -> None:
    with daemon([row("web", "Ready"), row("api", "Ready"), row("db", "Ready")]) as url:
        shown = invoke(url, "history", "web")
        found = invoke(url, "history", "db")
        empty = invoke(url, "history", "api")
        as_json = invoke(url, "history", "web", "-o", "json")
    assert [line.split() for line in shown.out] == [
        ["BEGAN", "ENDED", "FROM", "TO", "RESULT", "TOOK", "INSTANCES", "COMMIT"],
        ["2026-01-05", "09:00", "2026-01-05", "09:30", "1", "2", "completed", "30m", "20", "0123456789"],
    ]
    assert found.out[1].split() == [
        *("2026-01-05", "09:00", "-", "-", "2", "in", "progress", "-", "-", "0123456789")
    ], "a rollout that began before the daemon started"
    assert empty.out == ["api: no rollout since the daemon started"]
    assert json.loads("\n".join(as_json.out)) == [RECORD]
