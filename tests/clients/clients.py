"""Third-party programs, unmodified and in their own virtual environment, against a simulated Azure.

They can reach only the simulator: a request to any other host goes to a proxy address where nothing listens,
and fails.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.simulator.server import Server
from tests.cli.program import ROOT, bare

CLIENTS = ROOT / ".venv-clients" / "bin"
NOBODY = "http://127.0.0.1:9"
PATIENCE = 60.0  # seconds


def environment(server: Server) -> dict[str, str]:
    """Return the environment of a client as `reconciler simulate` prints it, with all other hosts blocked."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOBODY)
    kept = {name: value for name, value in bare().items() if name != "PYTHONPATH"}
    return {**kept, **proxies, **server.environment, "VMSS_RECONCILER_ARM_ENDPOINT": server.url}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of one command: its exit code, its output, and its error output."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Az:
    """The Azure CLI, with its own home directory."""

    environment: Mapping[str, str]

    @classmethod
    def at(cls, server: Server, home: Path) -> "Az":
        own = {
            "AZURE_CONFIG_DIR": str(home),
            "AZURE_CORE_COLLECT_TELEMETRY": "0",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        }
        return cls({**environment(server), **own})

    def run(self, *arguments: str) -> CommandResult:
        return program(CLIENTS / "az", *arguments, env=self.environment)

    def __call__(self, command: str, *arguments: str) -> Any:
        """Run a command and return its output as JSON. `arguments` are those that contain spaces."""
        said = self.run(*command.split(), *arguments, "--output", "json")
        assert said.code == 0, f"az {command}: {said.err}"
        return json.loads(said.out) if said.out.strip() else None


def script(name: str, server: Server, **changes: str) -> Any:
    """Run a script beside this file with the clients' interpreter and return its output as JSON."""
    path = Path(__file__).parent / "scripts" / name
    said = program(CLIENTS / "python", str(path), env={**environment(server), **changes})
    assert said.code == 0, said.err
    return json.loads(said.out)


def program(path: Path, *arguments: str, env: Mapping[str, str]) -> CommandResult:
    assert path.exists(), f"there is no {path}; `make test-clients` makes it"
    done = subprocess.run(
        [path, *arguments], env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return CommandResult(done.returncode, done.stdout, done.stderr)
