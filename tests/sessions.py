"""`make sessions`: what a terminal of 80x24, 100x30 and 200x50 shows of a fleet in the middle of a change.

For 3, 60 and 1,000 scale sets, in tmux, as text and as SVG, to be looked at by a person:

    python -m tests.sessions .demo/sessions 3 60
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from demo.picture import TOKEN, Terminal, svg
from reconciler.daemon import report
from tests.cli.program import ROOT, bare, command, write_specs
from tests.stories.world import World, fleet, of_all, scale_set, spec

SIZES = ((80, 24), (100, 30), (200, 50))
FLEETS = (3, 60, 1000)
MOST_PLANNED = 60  # a plan of more takes minutes
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+")
_PATIENCE = 300.0  # seconds


def documents(number: int) -> list[dict[str, Any]]:
    """Specs in three waves, with names of different lengths, one suspended and one that waits for a person."""
    specs = [spec(name(each), wave=each * 3 // number) for each in range(number)]
    for each in specs[2::23]:
        each["spec"]["suspend"] = {"reason": "load test", "by": "ada"}
    for each in specs[1::31]:
        each["spec"]["rollout"] = {**each["spec"].get("rollout", {}), "approval": "start"}
    return [of_all(maxChange="100%", maxConcurrentRollouts="50%"), *specs]


def name(number: int) -> str:
    return f"{('web', 'checkout-api', 'search-indexer-nightly')[number % 3]}-{number:03}"


def world_of(number: int) -> World:
    """A fleet of which the first wave is under way. Every nineteenth scale set is refused."""
    sets = [
        scale_set(name(each), capacity=5 + each % 17, **({"mode": "Automatic"} if each % 19 == 7 else {}))
        for each in range(number)
    ]
    return World(fleet(*sets), *documents(number))


def moved(shown: Any, by: timedelta) -> Any:
    """The JSON with each time moved, because the commands show ages by the clock on the wall."""
    if isinstance(shown, dict):
        return {name: moved(each, by) for name, each in shown.items()}
    if isinstance(shown, list):
        return [moved(each, by) for each in shown]
    if isinstance(shown, str) and MOMENT.fullmatch(shown):
        return (datetime.fromisoformat(shown) + by).isoformat()
    return shown


@contextmanager
def answering(shown: Mapping[str, Any]) -> Iterator[str]:
    """The URL of a server that answers as a daemon does."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(shown).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def capture(title: str, line: str, env: Mapping[str, str], size: tuple[int, int]) -> str:
    """What tmux shows, with its colours: all that the command wrote, or the first table of those that follow."""
    columns, rows = size
    is_watched = "--watch" in title
    tmux = ("tmux", "-L", f"sessions-{time.monotonic_ns()}", "-f", "/dev/null")
    prompt = f"printf '$ reconciler {title}\\n'"
    script = f"{prompt}; {line}; printf '\\033]0;ended\\007'; sleep {_PATIENCE:g}"
    subprocess.run(
        (*tmux, "new-session", "-d", "-x", str(columns), "-y", str(rows), f"sh -c {shlex.quote(script)}"),
        env={**env, "TERM": "xterm-256color"},
        check=True,
    )
    try:
        pane = (*tmux, "capture-pane", "-p", "-e", *(() if is_watched else ("-S", "-")))
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            shown = subprocess.run(pane, capture_output=True, text=True, check=True).stdout
            if is_watched and "scale set" in shown:
                return shown
            named = subprocess.run(
                (*tmux, "display-message", "-p", "#{pane_title}"), capture_output=True, text=True, check=True
            )
            if named.stdout.strip() == "ended":
                break
            time.sleep(0.2)
        return subprocess.run(pane, capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run((*tmux, "kill-server"), check=False)


def save(file: Path, title: str, shown: str) -> None:
    """The picture as text, and as SVG."""
    terminal = Terminal()
    for match in TOKEN.finditer(shown):
        terminal.write("\r" if match[0] == "\n" else match[0])
        if match[0] == "\n":
            terminal.write("\n")
    plain = "\n".join("".join(character for character, _ in line).rstrip() for line in terminal.lines)
    file.with_suffix(".txt").write_text(plain)
    file.with_suffix(".svg").write_text(svg(terminal.lines, title))


def main(directory: Path, numbers: tuple[int, ...]) -> None:
    if not shutil.which("tmux"):
        sys.exit("tmux is not installed; install it to capture sessions")
    directory.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        world = world_of(number)
        with TemporaryDirectory() as scratch:
            specs = write_specs(Path(scratch) / "specs", *documents(number))
            if number <= MOST_PLANNED:
                with world.azure.serve() as server:
                    env = {**bare(), **server.environment, "VMSS_RECONCILER_ARM_ENDPOINT": server.url}
                    line = shlex.join(command("plan", "--specs", str(specs)))
                    _capture_all(directory, number, {"plan": line}, env)
            world.rest(timedelta(minutes=17))
            shown = moved(report.store(world.reconciler.store), datetime.now(UTC) - world.clock.now())
            with answering(shown) as url:
                refused = name(7 if number > 7 else 0)
                lines = {
                    each: shlex.join(command(*each.split(), "--server", url))
                    for each in ("status", "status --watch", f"why {refused}", f"why {name(1)}")
                }
                _capture_all(directory, number, lines, bare())


def _capture_all(directory: Path, number: int, lines: Mapping[str, str], env: Mapping[str, str]) -> None:
    for title, line in lines.items():
        for size in SIZES:
            shown = capture(title, line, {**env, "PYTHONPATH": str(ROOT)}, size)
            file = f"{title.replace(' --', '-').replace(' ', '-')}-{number}-{size[0]}x{size[1]}"
            save(directory / file, f"reconciler {title}", shown)


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])) or FLEETS)
