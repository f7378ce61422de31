"""How git is called: it never prompts, it has a time limit, and no message contains a secret."""

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.git.credentials import Access
from reconciler.git.program import environment
from reconciler.git.repository import Repository, SourceStopped, SourceUnreachable
from reconciler.git.revision import branch

SECRET = "s3cr3t%2Fpat"


def reason(repository: Repository) -> str:
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    return str(raised.value)


@pytest.fixture
def forge() -> Iterator[str]:
    """The host and port of a web server that rejects all credentials."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=forge")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_git_does_not_prompt_for_credentials(forge: str, tmp_path: Path) -> None:
    assert reason(Repository(f"http://{forge}/r.git", branch("main"), "", tmp_path)) == (
        f"branch main of http://{forge}/r.git cannot be fetched: the server requires credentials,"
        " and git found none; set --git-token-file or configure a credential helper"
    )


def test_credentials_in_the_url_are_used_and_never_shown(forge: str, tmp_path: Path) -> None:
    repository = Repository(f"http://ada:{SECRET}@{forge}/r.git", branch("main"), "", tmp_path)
    assert reason(repository) == (
        f"branch main of http://{forge}/r.git cannot be fetched: the server refused"
        " the credentials; renew the token, and give it read access to the repository"
    )
    for text in (repr(repository), str(repository)):
        assert "s3cr3t" not in text


def test_an_unreachable_host_is_one_line_without_credentials(tmp_path: Path) -> None:
    message = reason(Repository(f"https://ada:{SECRET}@127.0.0.1:1/r.git", branch("main"), "", tmp_path))
    assert message == (
        "branch main of https://127.0.0.1:1/r.git cannot be fetched: cannot connect to 127.0.0.1 port 1;"
        " check the URL, the firewall, and HTTPS_PROXY and NO_PROXY"
    )


def test_a_rewritten_url_cannot_run_a_program(tmp_path: Path, fresh_machine: Path) -> None:
    (fresh_machine / ".gitconfig").write_text(
        '[url "ext::sh -c touch% /tmp/pwned;"]\n\tinsteadOf = https://example.com/\n'
    )
    assert reason(Repository("https://example.com/r.git", branch("main"), "", tmp_path)) == (
        "branch main of https://example.com/r.git cannot be fetched: transport 'ext' not allowed"
    )


def ssh(directory: Path, script: str) -> str:
    """The path of a script that replaces ssh."""
    path = directory / "ssh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_error_of_ssh_is_reported_instead_of_the_closed_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "GIT_SSH_COMMAND", ssh(tmp_path, "echo 'git@h: Permission denied (publickey).' >&2; exit 255")
    )
    assert reason(Repository("git@h:r.git", branch("main"), "", tmp_path / "clone")) == (
        "branch main of git@h:r.git cannot be fetched: git@h accepted none of the SSH keys (publickey);"
        " add the public key to the repository; ssh skips a key that is missing or has a passphrase"
    )


def test_a_credential_in_the_output_of_a_helper_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, "echo 's3cr3t/pat is no password' >&2; exit 255"))
    assert reason(Repository(f"ssh://ada:{SECRET}@h/r.git", branch("main"), "", tmp_path / "clone")) == (
        "branch main of ssh://h/r.git cannot be fetched: *** is no password"
    )


def test_a_slow_fetch_is_killed_with_its_child_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, f"echo $$ > {pid}; sleep 60 & wait"))
    repository = Repository(
        "ssh://h/r.git", branch("main"), "", tmp_path / "clone", timeout=timedelta(seconds=1)
    )
    start = time.monotonic()
    assert reason(repository) == (
        "branch main of ssh://h/r.git cannot be fetched: git ls-remote took longer than 1 s;"
        " set a longer --git-timeout"
    )
    assert time.monotonic() - start < 10
    assert ends(int(pid.read_text()))


def ends(pid: int) -> bool:
    """Whether a killed process ends. Only the leader of its group is waited for. The other processes receive the
    same signal, but on a busy machine they end a little later."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def alive(pid: int) -> bool:
    """Whether the process runs. A zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_after_a_kill_the_remaining_git_process_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, f"echo $PPID > {pid}; exec sleep 60"))
    make = f"from reconciler.git.repository import *; Repository('ssh://h/r', Revision('branch', 'main'), '', Path({str(tmp_path / 'c')!r}))"
    ours = subprocess.Popen([sys.executable, "-c", f"{make}.commit()"])
    while not pid.exists() or not pid.read_text():
        time.sleep(0.05)
    ours.kill()
    ours.wait()
    left = int(pid.read_text())
    assert alive(left)
    after = Repository("ssh://h/r", branch("main"), "", tmp_path / "c", timeout=timedelta(seconds=0.5))
    assert "another process is still using" in reason(after)
    os.killpg(os.getpgid(left), signal.SIGKILL)
    assert ends(left)
    assert "git ls-remote took longer" in reason(after)


def test_a_missing_git_program_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason(Repository("https://h/r", branch("main"), "", tmp_path / "c")) == (
        f"the clone in {tmp_path / 'c'} cannot be used: git is not installed: install it"
    )


def test_the_environment_keeps_settings_and_drops_redirections() -> None:
    inherited = {
        "GIT_DIR": "x",
        "GIT_INDEX_FILE": "x",
        "GIT_TRACE": "1",
        "SSH_ASKPASS": "x",
        "https_proxy": "p",
    }
    kept = environment(
        {**inherited, "GIT_SSL_CAINFO": "ca", "GIT_SSH_COMMAND": "ssh -v", "GIT_ASKPASS": "token"}
    )
    assert kept == {
        "https_proxy": "p",
        "GIT_SSL_CAINFO": "ca",
        "GIT_SSH_COMMAND": "ssh -v",
        "GIT_ASKPASS": "token",
        "GIT_ALLOW_PROTOCOL": "file:https:ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


def test_a_stop_kills_git_at_once_and_ends_the_wait_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, stop = tmp_path / "pid", threading.Event()
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, f"echo $$ > {pid}; sleep 60 & wait"))
    repository = Repository("ssh://h/r.git", branch("main"), "", tmp_path / "clone", stop=stop)
    raised: list[Exception] = []

    def read() -> None:
        try:
            repository.commit()
        except SourceStopped as error:
            raised.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]  # the second waits for the lock
    for thread in threads:
        thread.start()
    while not pid.exists() or not pid.read_text():
        time.sleep(0.05)
    start = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(20)
    assert time.monotonic() - start < 5
    assert len(raised) == 2
    assert ends(int(pid.read_text()))


ZOMBIES = """
import ctypes, os, sys
from datetime import timedelta
from pathlib import Path
from reconciler.git.repository import Repository, SourceStopped, SourceUnreachable
from reconciler.git.revision import branch

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER: orphans become ours, as for PID 1
for _ in range(3):
    try:
        Repository("ssh://h/r", branch("main"), "", Path(sys.argv[1]), timedelta(seconds=0.5)).commit()
    except SourceUnreachable:
        pass
statuses = [Path(f"/proc/{each}/stat") for each in os.listdir("/proc") if each.isdigit()]
fields = [each.read_text().rpartition(")")[2].split() for each in statuses if each.exists()]
print(sum(parent == str(os.getpid()) for state, parent, *_ in fields))
"""


def test_as_pid_1_no_zombies_of_git_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, "sleep 60 & sleep 60"))
    done = subprocess.run(
        [sys.executable, "-c", ZOMBIES, str(tmp_path / "clone")],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"


def test_configuration_of_the_operator_by_environment_is_kept() -> None:
    inherited = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"}
    found = environment(inherited, access=Access((("d.e", "f"),), {"X": "y"}))
    assert {name: value for name, value in found.items() if name.startswith("GIT_CONFIG") or name == "X"} == {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "a.b",
        "GIT_CONFIG_VALUE_0": "c",
        "GIT_CONFIG_KEY_1": "d.e",
        "GIT_CONFIG_VALUE_1": "f",
        "X": "y",
    }


def test_a_server_that_floods_the_error_output_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, "yes 'a long message of the server' >&2 & sleep 60"))
    assert reason(Repository("ssh://h/r.git", branch("main"), "", tmp_path / "clone")) == (
        "branch main of ssh://h/r.git cannot be fetched: git ls-remote wrote more output than this program accepts"
    )
