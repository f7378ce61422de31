"""The real program, as processes of its own, against a simulated Azure that lives in the test's process.

What the program did is judged by the simulator's own record; what it said, by its output and its pages.
"""

import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import yaml
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.simulator import Simulator, WallClock
from reconciler.simulator.server import Server
from tests.cli.forked import ForkedProgram, SpawnedProgram
from tests.stories.world import fleet, scale_set

T = TypeVar("T")
ROOT = Path(__file__).parent.parent.parent
SWIFT = {"model": "0.2s", "upgrade": "0.3s", "boot": "0.1s", "health": "0.1s", "log": "0s"}
_OURS = ("VMSS_RECONCILER_", "RECONCILER_", "AZURE_", "GIT_")
_PATIENCE = 60.0  # seconds; for a loaded machine, no test waits for it when all is well
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Azure:
    """A simulated Azure, and the environment of a program that is to talk to it."""

    simulator: Simulator
    server: Server

    @property
    def environment(self) -> dict[str, str]:
        return {**bare(), **self.server.environment, "VMSS_RECONCILER_ARM_ENDPOINT": self.server.url}

    @property
    def announcement(self) -> str:
        """The announcement of the program before its first request."""
        return (
            f"Azure Resource Manager: {self.server.url}, as the identity that ManagedIdentityCredential finds"
        )

    def images(self, name: str) -> set[str]:
        """The versions that instances of a scale set run now."""
        return {image.rpartition(":")[2] for image in self.simulator.record.images(name).values()}

    def upgrades(self) -> int:
        """The number of batches that were started."""
        return sum(
            exchange.path.lower().endswith("/manualupgrade") for exchange in self.simulator.record.requests
        )

    def writes(self) -> int:
        return sum(exchange.method != "GET" for exchange in self.simulator.record.requests)


@contextmanager
def azure(*scale_sets: Mapping[str, Any], **changes: Any) -> Iterator[Azure]:
    """A swift Azure with these scale sets; by default "web", of 3 in as many update domains."""
    declared = fleet(*(scale_sets or (scale_set(capacity=3),)), timings=SWIFT, **changes)
    simulator = Simulator.load(declared, WallClock())
    with simulator.serve() as server:
        yield Azure(simulator, server)


def bare() -> dict[str, str]:
    """The environment of the tests, with nothing in it that the program goes by."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in {"FORCE_COLOR", "COLUMNS", "LINES"}
    }
    return {**kept, "PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def write_specs(directory: Path, *documents: Mapping[str, Any]) -> Path:
    """One file for each document, named after it."""
    directory.mkdir(parents=True, exist_ok=True)
    for document in documents:
        (directory / f"{document['metadata']['name']}.yaml").write_text(yaml.safe_dump(document))
    return directory


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a run of the program: exit code, and the lines of its output and error output.

    `announced` is the first line of the latter where it names the Azure that is asked, and `err` the rest.
    """

    code: int
    out: list[str]
    err: list[str]
    announced: str = field(default="", compare=False)

    @classmethod
    def of(cls, code: int, out: str, err: str) -> "Ended":
        lines = err.splitlines()
        announced = lines.pop(0) if lines and lines[0].startswith("Azure Resource Manager: ") else ""
        return cls(code, out.splitlines(), lines, announced)


def reconciler(*arguments: object, env: Mapping[str, str], cwd: Path) -> Ended:
    """Run the program to its end."""
    with TemporaryDirectory() as directory:
        out, err = Path(directory, "out"), Path(directory, "err")
        program = ForkedProgram([*map(str, arguments)], env=env, cwd=cwd, out=out, err=err)
        try:
            return Ended.of(program.wait(_PATIENCE), out.read_text(), err.read_text())
        finally:
            program.kill()


def invoke(*arguments: object, env: Mapping[str, str], cwd: Path) -> Ended:
    """Like `reconciler`, in this process, which takes a tenth of the time."""
    with chdir(cwd):
        done = CliRunner(env=env).invoke(main, [*map(str, arguments)], catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "reconciler.cli", *map(str, arguments)]


class Daemon:
    """`reconciler run` in the background, every second, listening on a port of its own."""

    def __init__(
        self, *arguments: object, env: Mapping[str, str], cwd: Path, under: Sequence[str] = ()
    ) -> None:
        """`under` is a command that runs it, such as `env`."""
        self.path = cwd / "daemon.log"
        env = {**env, "VMSS_RECONCILER_CLONE": str(cwd / "clone of the daemon")}  # it may be killed
        options = ("--sweep", "1s", "--requeue-after", "1s", "--listen", "127.0.0.1:0")
        words = ["run", *options, *map(str, arguments)]
        none = Path(os.devnull)
        self._process: ForkedProgram | SpawnedProgram = (
            SpawnedProgram([*under, *command(*words)], env=env, cwd=cwd, out=none, err=self.path)
            if under
            else ForkedProgram(words, env=env, cwd=cwd, out=none, err=self.path)
        )
        self.url = ""

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def started(self) -> "Daemon":
        """Wait until its pages are there."""
        found = re.compile(r'listening on ([^\s"]+)')
        match = until(lambda: found.search("\n".join(self.log())), self.log)
        self.url = match[1]
        return self

    def log(self) -> list[str]:
        """Its log lines so far, without their times."""
        return [line.partition(" ")[2] for line in self.path.read_text().splitlines()]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages."""
        try:
            with _DIRECT.open(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def status(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.get("/status")[1])
        return shown

    def status_of(self, name: str) -> str | None:
        """The status of a scale set, None if it is not observed yet."""
        return next((row["status"] for row in self.status()["scaleSets"] if row["name"] == name), None)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """Wait for its exit code; a negative one is the signal that killed it."""
        return self._process.wait(_PATIENCE)


def until(sign: Callable[[], T | None], story: Callable[[], object] = lambda: "") -> T:
    """Wait for a true value, and return it. On a timeout, fail with `story`."""
    end = time.monotonic() + _PATIENCE
    while not (seen := sign()):
        assert time.monotonic() < end, f"still not after {_PATIENCE:g} s: {story()}"
        time.sleep(0.05)
    return seen
