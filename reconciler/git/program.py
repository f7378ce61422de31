"""Runs the git program: its settings, its time limit and its error messages.

git must not prompt, run a hook or outlive this process. It therefore runs in a session of its own without a
terminal, in which ssh cannot prompt either, and after a timeout the whole process group is killed. System and
user configuration apply, because operators configure proxies, CA files and credential helpers there.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from reconciler.git import address
from reconciler.spec.wording import printable

# Variables that redirect git to another repository. A git hook that runs the tests sets them.
_NOT_INHERITED = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|NAMESPACE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|PREFIX|QUARANTINE_PATH|TRACE.*)|SSH_ASKPASS"
)
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "credential.interactive=false",
    "gc.autoDetach=false",  # otherwise gc would outlive the timeout
    "gc.pruneExpire=now",  # only the newest commit is ever read
    "maintenance.autoDetach=false",
)
_LONGEST = 300  # characters of a message from git
_PREFIX = re.compile(r"^(fatal|error|remote|ERROR|warning): ")


class GitFailed(Exception):
    """git failed. The message is one line of its output, without credentials."""


class GitTooSlow(GitFailed):
    """git exceeded its time limit and was killed."""


class GitMissing(GitFailed):
    """git is not installed."""


def run(
    arguments: Sequence[str],
    *,
    repository: Path,
    timeout: timedelta,
    url: str = "",
    stdin: bytes = b"",
    keep_open: Sequence[int] = (),
) -> bytes:
    """The output of git in a bare repository. `url` is used only to remove its credentials from messages.

    The descriptors in `keep_open` stay open in git and its child processes. A lock on one of them is held
    until the last of these processes ends, even if this process is killed first.
    """
    command = ["git", f"--git-dir={repository}"]
    for setting in _SETTINGS:
        command += ("-c", setting)
    # Files instead of pipes: a background process left by ssh would keep a pipe open and block this process.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=given,
                stdout=out,
                stderr=err,
                env=environment(os.environ, url),
                start_new_session=True,
                pass_fds=keep_open,
            )
        except FileNotFoundError as error:
            raise GitMissing("git is not installed: install it") from error
        status = _wait(process, timeout, arguments[0])
        if status:
            raise GitFailed(
                _complaint(_content(err), url) or f"git {arguments[0]} exited with status {status}"
            )
        return _content(out)


def environment(inherited: Mapping[str, str], url: str = "") -> dict[str, str]:
    """The environment variables for git."""
    kept = {name: value for name, value in inherited.items() if not _NOT_INHERITED.fullmatch(name)}
    loopback = ":http" if address.is_loopback_http(url) else ""
    return {
        **kept,
        "GIT_ALLOW_PROTOCOL": address.PROTOCOLS + loopback,
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


def _wait(process: subprocess.Popen[bytes], timeout: timedelta, verb: str) -> int:
    try:
        return process.wait(timeout.total_seconds())
    except subprocess.TimeoutExpired as error:
        raise GitTooSlow(f"git {verb} took longer than {timeout.total_seconds():g} s") from error
    finally:
        if process.poll() is None:  # timeout, or this process is being stopped
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _complaint(stderr: bytes, url: str) -> str:
    """The most useful line: the first fatal one, because advice follows it, or the last if none is fatal.

    If the fatal line only says that the connection ended, the line before it comes from ssh or the server and
    is more useful.
    """
    rows = [row.strip() for row in stderr.decode(errors="replace").splitlines() if row.strip()]
    if not rows:
        return ""
    telling = next((number for number, row in enumerate(rows) if row.startswith("fatal: ")), len(rows) - 1)
    if telling > 0 and "Could not read from remote repository" in rows[telling]:
        telling -= 1
    line = printable(_PREFIX.sub("", rows[telling]))
    return address.scrub(line, url)[:_LONGEST]
