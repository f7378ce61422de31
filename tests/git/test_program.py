"""How git is called: never waiting for a person, never for long, and never telling a secret."""

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

from reconciler.git.program import environment
from reconciler.git.repository import Repository, SourceUnreachable

SECRET = "s3cr3t%2Fpat"


def reason(repository: Repository) -> str:
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    return str(raised.value)


@pytest.fixture
def forge() -> Iterator[str]:
    """The address of a web server that wants other credentials, whatever it is given."""

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


def test_git_never_prompts_for_credentials(forge: str, tmp_path: Path) -> None:
    assert reason(Repository(f"http://{forge}/r.git", "main", "", tmp_path)) == (
        f"branch main of http://{forge}/r.git cannot be fetched: could not read Username for 'http://{forge}':"
        " terminal prompts disabled; give git the credentials, by a credential helper or an ssh key"
    )


def test_credentials_in_the_address_are_used_and_never_shown(forge: str, tmp_path: Path) -> None:
    repository = Repository(f"http://ada:{SECRET}@{forge}/r.git", "main", "", tmp_path)
    assert reason(repository) == (
        f"branch main of http://{forge}/r.git cannot be fetched: Authentication failed for"
        f" 'http://{forge}/r.git/'; give git the credentials, by a credential helper or an ssh key"
    )
    for told in (repr(repository), str(repository)):
        assert "s3cr3t" not in told


def test_a_host_that_does_not_respond_is_one_line_without_credentials(tmp_path: Path) -> None:
    told = reason(Repository(f"https://ada:{SECRET}@127.0.0.1:1/r.git", "main", "", tmp_path))
    assert told.startswith(
        "branch main of https://127.0.0.1:1/r.git cannot be fetched: unable to access 'https://127"
    )
    assert "s3cr3t" not in told
    assert "\n" not in told


def test_a_rewritten_address_may_not_run_a_program(tmp_path: Path, fresh_machine: Path) -> None:
    (fresh_machine / ".gitconfig").write_text(
        '[url "ext::sh -c touch% /tmp/pwned;"]\n\tinsteadOf = https://example.com/\n'
    )
    assert reason(Repository("https://example.com/r.git", "main", "", tmp_path)) == (
        "branch main of https://example.com/r.git cannot be fetched: transport 'ext' not allowed"
    )


def ssh(directory: Path, script: str) -> str:
    """A program in the place of ssh."""
    path = directory / "ssh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_error_of_ssh_is_reported_instead_of_the_lost_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "GIT_SSH_COMMAND", ssh(tmp_path, "echo 'git@h: Permission denied (publickey).' >&2; exit 255")
    )
    assert reason(Repository("git@h:r.git", "main", "", tmp_path / "clone")) == (
        "branch main of git@h:r.git cannot be fetched: git@h: Permission denied (publickey).;"
        " give ssh a key that this repository accepts"
    )


def test_a_program_of_gits_that_repeats_a_credential_is_scrubbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, "echo 's3cr3t/pat is no password' >&2; exit 255"))
    assert reason(Repository(f"ssh://ada:{SECRET}@h/r.git", "main", "", tmp_path / "clone")) == (
        "branch main of ssh://h/r.git cannot be fetched: *** is no password"
    )


def test_a_slow_fetch_is_killed_with_its_child_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, f"echo $$ > {pid}; sleep 60 & wait"))
    repository = Repository("ssh://h/r.git", "main", "", tmp_path / "clone", timeout=timedelta(seconds=1))
    start = time.monotonic()
    assert (
        reason(repository) == "branch main of ssh://h/r.git cannot be fetched: git fetch took longer than 1 s"
    )
    assert time.monotonic() - start < 10
    assert ends(int(pid.read_text()))


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone. Of its own group the kernel reaps only the leader for us; the
    others die at the same signal, but on a busy machine not at the same moment."""
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


def test_a_git_that_outlives_a_killed_daemon_is_not_disturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh(tmp_path, f"echo $PPID > {pid}; exec sleep 60"))
    make = f"from reconciler.git.repository import *; Repository('ssh://h/r', 'main', '', Path({str(tmp_path / 'c')!r}))"
    ours = subprocess.Popen([sys.executable, "-c", f"{make}.commit()"])
    while not pid.exists() or not pid.read_text():
        time.sleep(0.05)
    ours.kill()
    ours.wait()
    left = int(pid.read_text())
    assert alive(left)
    after = Repository("ssh://h/r", "main", "", tmp_path / "c", timeout=timedelta(seconds=0.5))
    assert "another reconciler has been using" in reason(after)
    os.killpg(os.getpgid(left), signal.SIGKILL)
    assert ends(left)
    assert "git fetch took longer" in reason(after)


def test_a_missing_git_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason(Repository("https://h/r", "main", "", tmp_path / "c")) == (
        f"the clone in {tmp_path / 'c'} cannot be used: the git program is not installed: install git"
    )


def test_the_environment_keeps_what_operators_set_and_drops_what_would_mislead() -> None:
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
