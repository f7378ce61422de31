"""`reconciler status --watch`: in windows of every size, in a pipe, and while the daemon restarts."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cli.program import bare, command, reconciler
from tests.cli.test_status_table import fleet, row, store
from tests.cli.window import Window

SIZES = ((80, 24), (100, 30), (200, 50))


class Answers:
    """A server that answers as a daemon with `store`, at a port that it keeps when it restarts."""

    def __init__(self, shown: dict[str, Any]) -> None:
        self.store = shown
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        answers = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answers.store).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Page)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def daemon(shown: dict[str, Any]) -> Iterator[Answers]:
    answers = Answers(shown)
    answers.start()
    try:
        yield answers
    finally:
        answers.stop()


def watch(answers: Answers, *options: str) -> list[str]:
    return command("status", "--watch", "--server", answers.url, *options)


def has_height(height: int, picture: list[str]) -> bool:
    return len(picture) == height


def summary_lines(shown: Sequence[str]) -> int:
    """How many lines the summary has: two if it does not fit into one."""
    return 1 if "scale sets: " in shown[-1] else 2


@pytest.mark.parametrize("number", [3, 60, 1000])
def test_a_picture_fills_its_window_and_no_more(number: int) -> None:
    with daemon(fleet(number)) as answers, Window(watch(answers), bare(), SIZES[0]) as window:
        for columns, height in (*SIZES, SIZES[0], (60, 10)):
            window.resize((columns, height))
            picture = window.picture(partial(has_height, height))
            assert {len(line) for line in picture} == {columns}
            assert picture[1].startswith("SCALE SET ")
            shown = [line for line in picture if line.strip()]
            assert len(shown) == min(number + 2 + summary_lines(shown), height)


@pytest.mark.parametrize("number, size", list(zip([3, 60, 1000], SIZES, strict=True)))
def test_a_table_that_is_printed_once_has_no_line_longer_than_its_window(
    number: int, size: tuple[int, int]
) -> None:
    with (
        daemon(fleet(number)) as answers,
        Window(command("status", "--server", answers.url), bare(), size) as window,
    ):
        code, text = window.output()
    lines = text.splitlines()
    assert (code, len(lines)) == (0, number + 2 + summary_lines(lines))
    assert max(map(len, lines)) <= size[0]


def test_it_goes_on_while_the_daemon_restarts_and_says_how_old_its_table_is() -> None:
    with daemon(store(row("web", "Failing"))) as answers, Window(watch(answers), bare(), (120, 10)) as window:
        assert window.picture()[2].startswith("web        Failing")
        answers.stop()
        picture = window.picture(lambda lines: "no daemon responds" in lines[0])
        assert f"no daemon responds at {answers.url}; the table is " in picture[0]
        assert "s old, from " in picture[0]
        assert picture[3].startswith("web        Failing")
        answers.store = {"sweep": None, "scaleSets": [], "orphans": []}
        answers.start()
        picture = window.picture(lambda lines: "has just started" in lines[0])
        assert picture[3].startswith("web        Failing"), "nothing newer is known"
        answers.store = store(row("web", "Ready"))
        picture = window.picture(lambda lines: "Ready" in lines[2])
        assert picture[2].startswith("web        Ready")
        assert window.interrupt()[0] == 130


def test_ctrl_c_gives_the_terminal_back() -> None:
    with daemon(fleet(3)) as answers, Window(watch(answers), bare(), (80, 24)) as window:
        window.picture()
        code, written = window.interrupt()
        assert code == 130
        assert "\x1b[?1049l" in written
        assert "\x1b[?25h" in written, "the cursor is shown again"


@contextmanager
def piped(*line: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """A command whose output is a pipe, and the lines of it, each without repeated spaces."""
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env=bare(), stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        yield process, (" ".join(each.split()) for each in process.stdout)
        process.kill()


def test_in_a_pipe_there_is_a_line_for_each_change() -> None:
    rows = [row("api", "Ready"), row("web", "Waiting")]
    with daemon(store(*rows)) as answers, piped(*watch(answers)) as (_, lines):
        first = [next(lines) for _ in range(3)]
        assert [line.split()[:2] for line in first] == [
            ["SCALE", "SET"],
            ["web", "Waiting"],
            ["api", "Ready"],
        ]
        later = row("api", "Ready", since="2026-01-05T08:00:00+00:00", at="2026-01-05T08:30:00+00:00")
        answers.store = store(later, row("web", "Failing"))
        assert next(lines).startswith("web Failing"), "the time alone is no change"
        answers.stop()
        time.sleep(3)
        answers.store = store(later)
        answers.start()
        assert next(lines) == "web no longer matches, or its spec was removed"


def test_in_a_pipe_json_is_an_object_for_each_change() -> None:
    with (
        daemon(store(row("web", "Waiting"))) as answers,
        piped(*watch(answers, "-o", "json")) as (_, lines),
    ):
        assert json.loads(next(lines))["status"] == "Waiting"
        answers.store = store()
        assert json.loads(next(lines)) == {"name": "web", "removed": True}


@pytest.mark.parametrize(
    "options, code, error",
    [
        pytest.param(["-o", "yaml"], 2, "--watch needs -o table, wide or json", id="a format without lines"),
        pytest.param(
            ["--instances", "-o", "csv"], 2, "--instances and --watch cannot be combined", id="instances"
        ),
        pytest.param(["wbe"], 1, "no spec in force is named 'wbe'; did you mean web?", id="an unknown name"),
    ],
)
def test_what_cannot_be_watched(options: list[str], code: int, error: str, tmp_path: Any) -> None:
    with daemon(store(row())) as answers:
        done = reconciler("status", "-w", "--server", answers.url, *options, env=bare(), cwd=tmp_path)
    assert (done.code, done.err[-1]) == (code, f"error: {error}")


def test_watching_needs_a_daemon(tmp_path: Any) -> None:
    done = reconciler("status", "-w", "--server", "http://127.0.0.1:1", env=bare(), cwd=tmp_path)
    assert (done.code, done.err) == (
        1,
        [
            "error: no daemon responds at http://127.0.0.1:1; --watch needs a running daemon: start one with `reconciler run`, or omit --watch"
        ],
    )
