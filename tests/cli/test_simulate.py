"""`reconciler simulate`: what it prints is all that another process needs."""

import shlex
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.program import bare, command, reconciler, write_specs
from tests.stories.world import OLD, fleet, scale_set, spec


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(fleet(scale_set(capacity=5))))
    return path


@pytest.mark.usefixtures("fleet_file")
def test_it_serves_by_what_it_prints_until_it_is_interrupted(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    with simulation(tmp_path, "--certificates", "a place") as process:
        told, environment = announced(process)
        done = reconciler("plan", env={**bare(), **environment}, cwd=tmp_path)
        assert ended(process, signal.SIGINT) == (0, "", "# ended\n")
    assert (done.code, done.out[-1]) == (0, "0 to change, 1 not (1 UpToDate)")
    assert environment["REQUESTS_CA_BUNDLE"] == str(tmp_path / "a place" / "ca.pem")
    address = environment["RECONCILER_ARM_ENDPOINT"]
    assert told == f"# fleet.yaml is served at {address}; Ctrl-C ends it\n"


@pytest.mark.usefixtures("fleet_file")
def test_it_leaves_nothing_behind_when_it_is_terminated(tmp_path: Path) -> None:
    with simulation(tmp_path) as process:
        authority = Path(announced(process)[1]["REQUESTS_CA_BUNDLE"])
        assert authority.exists()
        assert ended(process, signal.SIGTERM) == (0, "", "# ended\n")
    assert not authority.parent.exists()


def simulation(where: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("simulate", "fleet.yaml", *options),
        env=bare(),
        cwd=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def announced(process: subprocess.Popen[str]) -> tuple[str, dict[str, str]]:
    """What it says once it serves, and the variables that it exports."""
    assert process.stdout
    assert process.stderr
    told = process.stderr.readline()  # the last that it prints
    exports = [shlex.split(process.stdout.readline()) for _ in range(8)]
    assert {word for word, _ in exports} == {"export"}
    return told, dict(setting.split("=", 1) for _, setting in exports)


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Its exit code after a signal, and what it said more."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "content, error",
    [
        pytest.param(
            None,
            "fleet.yaml: No such file or directory; name a fleet file that can be read",
            id="no such file",
        ),
        pytest.param(
            "- web", "fleet.yaml: ['web'] is not a mapping; write `name: value` lines", id="a list of sets"
        ),
        pytest.param(
            "scaleSet: []",
            "fleet.yaml: fleet: there is no field 'scaleSet'; did you mean scaleSets?",
            id="a misspelt field",
        ),
        pytest.param(
            "scaleSets: [{name: web, image: 'a:b:c:1', mode: Auto}]",
            "fleet.yaml: scaleSets[0] (web).mode: 'Auto' is not a choice; did you mean Automatic?",
            id="a mode there is not",
        ),
    ],
)
def test_a_wrong_fleet_is_said_in_one_line(
    content: str | None, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("fleet.yaml").write_text(content)
    done = CliRunner().invoke(main, ["simulate", "fleet.yaml"])
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"error: {error}\n")


def test_a_port_in_use_is_said_in_one_line(fleet_file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--port", str(port), "--certificates", str(tmp_path)]
        done = CliRunner().invoke(main, ["simulate", str(fleet_file), *options])
    assert (done.exit_code, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"error: port {port}: Address already in use; choose another with --port or --certificates\n"
    )
