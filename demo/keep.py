"""`make demo-keep`: the demo stays open, to be poked at from a second terminal.

The simulated Azure, the git repository and the daemon run until Ctrl-C. What a second terminal needs is in
the environment file that is named at the start.
"""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from demo.__main__ import FLEET, commit_specs, daemon_command
from reconciler.simulator import Simulator, WallClock, read_fleet
from reconciler.simulator.server import Server

# What to type, and what it shows.
COMMANDS = {
    "reconciler status --watch": "the fleet, line by line, until Ctrl-C",
    "reconciler why batch": "why one scale set is refused, and what would end it",
    "reconciler plan": "what is still to come",
    "reconciler pause --all --reason 'a look'": "a brake without a commit",
    "reconciler resume --all": "and its end",
    "reconciler status --instances -o csv": "every instance, as Azure reports it",
    "reconciler history web": "what has happened to one scale set",
}


def main() -> None:
    """Run until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as scratch, keep(Path(scratch)) as daemon:
        daemon.wait()


@contextmanager
def keep(scratch: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon on a simulated Azure, once its environment file is written and the commands are printed."""
    # A person at a terminal is an operator, who may write tags.
    described = {**read_fleet(FLEET), "permissions": {"actions": ["*"]}}
    repository = commit_specs(scratch)
    with Simulator.load(described, WallClock()).serve(certificates=scratch) as server:
        address = f"127.0.0.1:{_free_port()}"
        environment = _environment(server, repository, address)
        file = scratch / "environment"
        file.write_text("".join(f"export {name}={shlex.quote(each)}\n" for name, each in environment.items()))
        print(_instructions(file, repository), flush=True)
        command = (*daemon_command(server, repository), "--listen", address)
        daemon = subprocess.Popen(command, env={**os.environ, **server.environment})
        try:
            yield daemon
        finally:
            daemon.terminate()
            daemon.wait()


def _environment(server: Server, repository: Path, address: str) -> Mapping[str, str]:
    """What a command in another terminal needs."""
    return {
        **server.environment,
        "VMSS_RECONCILER_ARM_ENDPOINT": server.url,
        "VMSS_RECONCILER_GIT": f"file://{repository}",
        "VMSS_RECONCILER_SERVER": f"http://{address}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def _instructions(file: Path, repository: Path) -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {command:{width}}  # {what}" for command, what in COMMANDS.items()]
    return "\n".join(
        (
            "The demo stays open until Ctrl-C. In a second terminal, type:",
            "",
            f"  . {file}",
            *lines,
            "",
            f"To change what is declared, edit a file in {repository / 'specs'} and commit it there.",
            "",
        )
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
