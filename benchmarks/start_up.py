"""The CPU time of whole commands, beside the import of the libraries that all of them need.

python -m benchmarks.start_up 12
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import ROOT

AZ = "az --help"
_CLIENTS = ROOT / ".venv-clients" / "bin"  # of `make test-clients`


def commands(daemon: str) -> Mapping[str, Sequence[str]]:
    """Each command that is measured, with `az --help` where it is installed."""
    python = sys.executable
    ours = (python, "-m", "reconciler.cli")
    found: dict[str, Sequence[str]] = {
        "python -c 'import click, yaml'": (python, "-c", "import click, yaml"),
        "reconciler --help": (*ours, "--help"),
        "reconciler plan --help": (*ours, "plan", "--help"),
        "reconciler rehearse --help": (*ours, "rehearse", "--help"),
        "reconciler comment --help": (*ours, "comment", "--help"),
        "reconciler completion bash": (*ours, "completion", "bash"),
        "reconciler validate, ten files": (*ours, "validate", str(ROOT / "specs")),
        "reconciler status, from a daemon": (*ours, "status", "--server", daemon),
    }
    if az := shutil.which("az", path=f"{_CLIENTS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"):
        found[AZ] = (az, "--help")
    return found


def cpu(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """The CPU seconds of a command, of all its processes."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime


def main(rounds: int) -> None:
    """Measure each command once a round, so that a loaded machine slows all of them alike."""
    seconds: dict[str, list[float]] = {}
    # `az` leaves a process behind that still writes bytecode.
    ending = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with answering_daemon() as daemon, ending as cache:
        # An installed package has its bytecode, and so has each command here after its first round.
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        ours = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(Path(cache))}
        environment = {**kept, **ours, "AZURE_CORE_COLLECT_TELEMETRY": "0"}
        for _ in range(rounds):
            for name, command in commands(daemon).items():
                seconds.setdefault(name, []).append(cpu(command, environment))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]))
