"""`reconciler simulate`: its output has all that another process needs."""

import errno
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the signal handlers of the tests after a command that ran in their process replaced them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("fleet_file")
def test_simulate_serves_as_printed_until_it_is_interrupted(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    with simulation(tmp_path, "--certificates", "a place") as process:
        line, environment = read_announcement(process)
        done = reconciler("plan", env={**bare(), **environment}, cwd=tmp_path)
        assert stop(process, signal.SIGINT) == (0, "", "# ended\n")
    assert (done.code, done.out[-1]) == (0, "no scale set rolls out")
    assert environment["REQUESTS_CA_BUNDLE"] == str(tmp_path / "a place" / "ca.pem")
    address = environment["VMSS_RECONCILER_ARM_ENDPOINT"]
    assert line == f"# fleet.yaml is served at {address}; Ctrl-C ends it\n"


@pytest.mark.usefixtures("fleet_file")
@pytest.mark.parametrize("has_terminal", [True, False])
def test_a_person_who_opens_a_shell_reads_what_it_is_for(tmp_path: Path, *, has_terminal: bool) -> None:
    ours, terminal = pty.openpty()
    done = subprocess.run(
        command("simulate", "fleet.yaml", "--", "sh", "-c", "exit 3"),
        stdin=terminal if has_terminal else subprocess.DEVNULL,
        stderr=terminal,
        env=bare(),
        cwd=tmp_path,
        timeout=50,
        check=False,
    )
    os.write(terminal, b"end\n")
    written = ""
    while not written.endswith("end\r\n"):
        written += os.read(ours, 1000).decode()
    os.close(terminal)
    os.close(ours)
    assert done.returncode == 3
    line = r"# fleet\.yaml is served at https://127\.0\.0\.1:\d+ until sh ends\r\n"
    assert re.fullmatch(f"{line if has_terminal else ''}end\r\n", written)


@pytest.mark.usefixtures("fleet_file")
def test_simulate_leaves_nothing_behind_when_it_is_terminated(tmp_path: Path) -> None:
    with simulation(tmp_path) as process:
        authority = Path(read_announcement(process)[1]["REQUESTS_CA_BUNDLE"])
        assert authority.exists()
        assert stop(process, signal.SIGTERM) == (0, "", "# ended\n")
    assert not authority.parent.exists()


@pytest.mark.usefixtures("fleet_file")
def test_a_command_talks_to_the_simulated_azure_and_its_exit_code_is_ours(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    inner = command("plan", "-o", "json", "--detailed-exitcode")
    done = reconciler("simulate", "fleet.yaml", "--", *inner, env=bare(), cwd=tmp_path)
    assert done.code == 2, "like plan if there is something to change"
    assert [row["name"] for row in json.loads("\n".join(done.out))["scaleSets"]] == ["web"]


@pytest.mark.parametrize(
    "line, code, error",
    [
        pytest.param(["sh", "-c", "exit 3"], 3, "", id="a command that fails"),
        pytest.param(["sh", "-c", "kill -9 $$"], 137, "", id="a command that is killed"),
        pytest.param(["rolout"], 127, "error: rolout: command not found\n", id="an unknown command"),
        pytest.param(
            ["./fleet.yaml"],
            126,
            "error: ./fleet.yaml: Permission denied\n",
            id="a file that is not executable",
        ),
    ],
)
@pytest.mark.usefixtures("fleet_file")
def test_the_exit_code_of_the_command_is_returned(
    line: list[str], code: int, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["simulate", "fleet.yaml", "--", *line])
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.usefixtures("fleet_file")
def test_a_signal_is_handled_by_the_command_and_nothing_is_left_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    patient = (
        f"trap 'echo done; exit 5' {number.name[3:]}; echo $$ $SSL_CERT_FILE; while :; do sleep 0.05; done"
    )
    with simulation(tmp_path, "--env-file", "azure.env", "--", "sh", "-c", patient) as process:
        assert process.stdout
        child, authority = process.stdout.readline().split()
        assert Path(authority).exists()
        assert (tmp_path / "azure.env").exists()
        assert stop(process, number) == (5, "done\n", "")
    assert not Path(authority).parent.exists()
    assert not (tmp_path / "azure.env").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)


@pytest.mark.usefixtures("fleet_file")
def test_ctrl_c_is_not_forwarded_to_a_command_that_the_terminal_interrupts(tmp_path: Path) -> None:
    """The command would get it twice, which to a daemon means "at once".

    Two signals that arrive together may be seen as one. The command therefore leaves the foreground here, and
    another process stays in it to receive the terminal's own signal.
    """
    counting = """if True:
        import os, signal, subprocess, sys, time
        seen = []
        signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
        interrupted = subprocess.Popen(["sh", "-c", "trap 'exit 0' INT; while :; do sleep 0.05; done"])
        os.setpgrp()
        print("ready", flush=True)
        interrupted.wait()
        time.sleep(0.3)
        sys.exit(10 + len(seen))
        """
    inner = command("simulate", "fleet.yaml", "--", sys.executable, "-c", counting)
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    with subprocess.Popen(
        [sys.executable, "-c", spawn, *inner],
        env=bare(),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as terminal:
        assert terminal.stdin
        assert terminal.stdout
        assert b"is served at" in terminal.stdout.readline()
        assert terminal.stdout.readline() == b"ready\r\n"
        terminal.stdin.write(b"\x03")
        terminal.stdin.flush()
        assert terminal.wait(60) == 10


def test_the_environment_file_is_complete_and_exists_while_serving(
    fleet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = 'before=$VMSS_RECONCILER_ARM_ENDPOINT; . ./azure.env && test "$before" = "$VMSS_RECONCILER_ARM_ENDPOINT"'
    done = CliRunner().invoke(
        main, ["simulate", fleet_file.name, "--env-file", "azure.env", "--", "sh", "-euc", script]
    )
    assert (done.exit_code, done.output) == (0, "")
    assert os.listdir() == [fleet_file.name]


@pytest.mark.parametrize(
    "content, env_file, error",
    [
        pytest.param(
            "scaleSet: []",
            "azure.env",
            "fleet.yaml:1:1: scaleSet is not a known field",
            id="an error in the fleet",
        ),
        pytest.param("scaleSets: []", "there", "/there: the file already exists; re", id="a file in use"),
        pytest.param(
            "scaleSets: []",
            "no/where",
            "/no/where: No such file or directory; choose",
            id="an environment file in a missing directory",
        ),
    ],
)
def test_a_failed_start_runs_no_command_and_leaves_no_file(
    content: str, env_file: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text(content)
    Path("there").write_text("mine")
    line = ["simulate", "fleet.yaml", "--env-file", env_file, "--", "touch", "started"]
    done = CliRunner().invoke(main, line)
    assert (done.exit_code, done.stdout) == (1, "")
    assert error in done.stderr
    assert sorted(os.listdir()) == ["fleet.yaml", "there"]
    assert Path("there").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(OSError(errno.EBUSY, "Device or resource busy"), 1, id="a busy file"),
        pytest.param(KeyboardInterrupt(), 130, id="an interrupt"),
    ],
)
def test_an_environment_file_that_cannot_be_written_leaves_nothing_behind(
    error: BaseException, code: int, fleet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_paths: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "replace", refuse)
    done = CliRunner().invoke(main, ["simulate", fleet_file.name, "--env-file", "azure.env", "--", "true"])
    assert done.exit_code == code
    assert os.listdir() == [fleet_file.name]


def simulation(where: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("simulate", "fleet.yaml", *options),
        env=bare(),
        cwd=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_announcement(process: subprocess.Popen[str]) -> tuple[str, dict[str, str]]:
    """Read what the command prints once it serves, and the variables that it exports."""
    assert process.stdout
    assert process.stderr
    line = process.stderr.readline()  # the last line that it prints
    exports = [shlex.split(process.stdout.readline()) for _ in range(8)]
    assert {word for word, _ in exports} == {"export"}
    return line, dict(setting.split("=", 1) for _, setting in exports)


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal and return the exit code and the remaining output."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "content, error",
    [
        pytest.param(
            None,
            "fleet.yaml: No such file or directory; pass a fleet file that can be read",
            id="a missing file",
        ),
        pytest.param(
            "- web",
            "fleet.yaml:1:1: ['web'] is not a mapping: write `name: value` lines",
            id="a list of sets",
        ),
        pytest.param(
            "scaleSet: []",
            "fleet.yaml:1:1: scaleSet is not a known field: did you mean scaleSets?",
            id="a misspelt field",
        ),
        pytest.param(
            "scaleSets: [{name: web, image: 'a:b:c:1', mode: Auto}]",
            "fleet.yaml:1:43: scaleSets[0] (web).mode 'Auto' is not a valid value: did you mean Automatic?",
            id="an unknown mode",
        ),
    ],
)
def test_an_invalid_fleet_is_reported_in_one_line(
    content: str | None, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("fleet.yaml").write_text(content)
    done = CliRunner().invoke(main, ["simulate", "fleet.yaml"])
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"error: {error}\n")


def test_a_port_in_use_is_reported_in_one_line(fleet_file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--port", str(port), "--certificates", str(tmp_path)]
        done = CliRunner().invoke(main, ["simulate", str(fleet_file), *options])
    assert (done.exit_code, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"error: port {port}: Address already in use; choose another with --port or --certificates\n"
    )


MISTAKEN = """\
location: westeurope
scaleSets:
  - name: web
    mode: Auto
    capacity: 5000
    image: Canonical:ubuntu-24_04-lts:server:24.04.202601010
  - {name: api, imag: none}
event: []
"""
MISPLACED = """\
scaleSets:
  - name: web
    capacity: 2
    protected: ["0", "7"]
    image: &image Canonical:ubuntu-24_04-lts:server:24.04.202601010
  - name: db
    image: *image
    attached: [{name: sql-1}]
  - {name: WEB, image: *image}
"""


@pytest.mark.parametrize(
    "content, expected",
    [
        pytest.param(
            MISTAKEN,
            [
                "fleet.yaml:4:5: scaleSets[0] (web).mode 'Auto' is not a valid value: did you mean Automatic?",
                "fleet.yaml:5:5: scaleSets[0] (web).capacity 5000 is more than Azure's limit of 1,000 instances in "
                "a scale set: write at most 1000",
                "fleet.yaml:7:17: scaleSets[1] (api).imag is not a known field: did you mean image?",
                "fleet.yaml:8:1: event is not a known field: did you mean events?",
            ],
            id="errors of the schema",
        ),
        pytest.param(
            MISPLACED,
            [
                "fleet.yaml:4:22: scaleSets[0] (web).protected[1] names instance '7', which does not exist: the scale set starts "
                "with 0, 1",
                "fleet.yaml:8:5: scaleSets[1] (db).attached applies only to a Flexible scale set: add "
                "`orchestration: Flexible`",
                "fleet.yaml:9:5: scaleSets[2] (WEB) declares rg/WEB a second time: rename one",
            ],
            id="fields that are inconsistent",
        ),
        pytest.param(
            "a: [",
            ["fleet.yaml:2:1: a value is missing here: write one, or quote it if it begins with a bracket"],
            id="a file that is not YAML",
        ),
        pytest.param(
            "scaleSets: [{name: web, image: 'a:b:c:1', mode: Auto}]\npage: 0\nscaleSets: []\n",
            [
                "fleet.yaml:1:43: scaleSets[0] (web).mode 'Auto' is not a valid value: did you mean Automatic?",
                "fleet.yaml:2:1: page 0 is not a whole number of at least 1",
                "fleet.yaml:3:1: scaleSets duplicates the field in line 1: remove one of the two",
            ],
            id="a duplicate field",
        ),
        pytest.param(
            "page: 0\nscaleSets:\n  - {name: web, image: 'a:b:c:1', mode: Auto, protected: ['88']}\n"
            "  - name: api\n    image: a:b:c:1\n    protected: ['88']\n    instanceStates: [{id: '77'}]\n"
            "    flapping: [{id: '99', healthy: 1m, unhealthy: 1m}]\n"
            "  - {name: API, image: 'a:b:c:1'}\n  - {name: db, imag: none, protected: ['88']}\n"
            "faults: [{operation: A_B, times: 0, fault: {reset: {}}}, {operation: '*', scaleSet: db, fault: {reset: {}}}]\n"
            "events: [{after: 5, event: {evict: {scaleSet: nope, id: '0'}}}]\n",
            [
                "fleet.yaml:1:1: page 0 is not",
                "fleet.yaml:3:35: scaleSets[0] (web).mode 'Auto' is not a valid value",
                "fleet.yaml:3:59: scaleSets[0] (web).protected[0] names instance '88', which does not exist",
                "fleet.yaml:6:17: scaleSets[1] (api).protected[0] names instance '88', which does not exist",
                "fleet.yaml:7:22: scaleSets[1] (api).instanceStates[0] names instance '77', which does not exist",
                "fleet.yaml:8:16: scaleSets[1] (api).flapping[0] names instance '99', which does not exist",
                "fleet.yaml:9:5: scaleSets[2] (API) declares rg/API a second time: rename one",
                "fleet.yaml:10:16: scaleSets[3] (db).imag is not a known field: did you mean image?",
                "fleet.yaml:11:11: faults[0].operation 'A_B' is not a known operation",
                "fleet.yaml:11:27: faults[0].times 0 is not a",
                "fleet.yaml:12:11: events[0].after 5 has no unit: write 5s",
                "fleet.yaml:12:37: events[0].event.evict.scaleSet names the scale set 'nope', which does not exist",
            ],
            id="errors of both kinds",
        ),
        pytest.param(
            "# to do\n",
            ["fleet.yaml:1:1: the file is empty: write `scaleSets:` with a scale set"],
            id="an empty file",
        ),
        pytest.param(
            "page: 5\n---\npage: 6\n",
            ["fleet.yaml:3:1: a fleet file has only one document: remove"],
            id="two documents",
        ),
        pytest.param(
            "faults: [{operation: '*', fault: {malformed: {field: name, value: off}}}]\n",
            [
                "fleet.yaml:1:60: faults[0].fault.malformed.value off is read as the boolean false by some YAML "
                "readers: write it plainly, or in quotes"
            ],
            id="a value of any type",
        ),
        pytest.param(
            "timings: {upgrade: 60, boot: 1:30}\nthrottling: no\nscaleSets:\n  - name: off\n    image: a:b:c:1\n"
            "    instanceStates: [{id: '0', power: off}]\n",
            [
                "fleet.yaml:1:11: timings.upgrade 60 has no unit: write 60s",
                "fleet.yaml:1:24: timings.boot 1:30 is read as the number 90: write one like 8s, 2m or 0.5s",
                "fleet.yaml:2:1: throttling no is a string to some YAML readers: write false",
                "fleet.yaml:4:5: scaleSets[0].name off is read as the boolean false: write it in quotes",
                "fleet.yaml:6:32: scaleSets[0].instanceStates[0].power off is read as the boolean false: choose one of",
            ],
            id="values that YAML readers interpret differently",
        ),
    ],
)
def test_a_check_reports_every_error_with_its_line(
    content: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text(content)
    done = CliRunner().invoke(main, ["simulate", "fleet.yaml", "--check"])
    assert (done.exit_code, done.stderr) == (1, f"{len(expected)} error{'s' * (len(expected) > 1)}\n")
    for line, start in zip(done.stdout.splitlines(), expected, strict=True):
        assert line.startswith(start)


def test_a_check_of_a_valid_file_serves_nothing(fleet_file: Path) -> None:
    done = CliRunner().invoke(main, ["simulate", str(fleet_file), "--check"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{fleet_file}: no errors\n", "")
