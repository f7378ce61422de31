"""Runs the git program. Defines its settings, its time limit and its error messages.

git must not prompt, run a hook or outlive this process. It runs in its own session without a terminal, so
that ssh cannot prompt either. After a timeout or a stop, the whole process group is killed. System and user
configuration apply, because operators configure proxies, CA files and credential helpers there.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import IO

from reconciler.git import address, failure
from reconciler.git.credentials import Access
from reconciler.spec.wording import printable

# Variables that redirect git to another repository. A git hook that runs the tests sets them.
_NOT_INHERITED = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|NAMESPACE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|PREFIX|QUARANTINE_PATH|TRACE.*)|SSH_ASKPASS"
)
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "credential.interactive=false",
    "fetch.fsckObjects=true",
    "gc.autoDetach=false",  # otherwise gc would outlive the timeout
    "gc.pruneExpire=now",  # only the newest commit is ever read
    "maintenance.autoDetach=false",
)
# No protocol is allowed, so a partial clone cannot fetch missing objects, and runs no command to fetch them.
_OFFLINE = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
_LONGEST = 300  # characters of a message from git
_LONGEST_LINE = 500  # characters of a line of error output; some patterns take quadratic time
_MOST = 1 << 27  # bytes of output, in memory; ten thousand specs need a twentieth of this
_MOST_ERRORS = 1 << 24  # bytes of error output, in memory
_MOST_OUTPUT = 1 << 16  # bytes of the error output that are examined, at each end
_PREFIX = re.compile(r"^(fatal|error|remote|ERROR|warning): ")
_STOP_INTERVAL = 0.1  # seconds within which a stop is noticed
_REAP_SECONDS = 2.0


class GitFailed(Exception):
    """git failed. The message and the remedy are one line each, and contain no credentials.

    name: the name of the matching row in the table of failures, or "" if no row matches.
    is_local: the cause is this machine, so the failure says nothing about the clone or the remote.
    """

    is_local = False

    def __init__(self, message: str, remedy: str = "", *, name: str = "", is_local: bool = False) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.name = name
        self.is_local = self.is_local or is_local

    @property
    def line(self) -> str:
        """The message, and the remedy if there is one."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class GitTooSlow(GitFailed):
    """git exceeded its time limit and was killed."""

    is_local = True


class GitMissing(GitFailed):
    """git is not installed."""

    is_local = True


class GitTooMuch(GitFailed):
    """git wrote more output than any call needs, and was killed."""


class GitStopped(GitFailed):
    """git was killed because this program is ending."""

    is_local = True


def run(
    arguments: Sequence[str],
    *,
    repository: Path,
    timeout: timedelta,
    url: str = "",
    access: Access | None = None,
    stdin: bytes = b"",
    keep_open: Sequence[int] = (),
    stop: Event | None = None,
    is_work_tree: bool = False,
    is_offline: bool = False,
) -> bytes:
    """Run git in a repository. Returns its standard output. Raises GitFailed if git fails.

    `url`: the address of the remote. Plain http is allowed only to this machine.
    `is_work_tree`: `repository` is a directory in a work tree, not a bare repository. git then searches for
        the repository, and refuses a repository that belongs to another user.
    `keep_open`: descriptors that stay open in git and its child processes. A lock on one of them is held
        until the last of these processes ends, even if this process is killed first.
    `stop`: setting this event kills git.
    `is_offline`: git fetches nothing, whatever the configuration of the repository says.
    """
    access = access or Access()
    command = ["git", *(["-C", str(repository)] if is_work_tree else [f"--git-dir={repository}"])]
    for setting in _SETTINGS:
        command += ("-c", setting)
    # Not pipes, because a background process left by ssh would keep a pipe open and block this process. Not
    # files, because /tmp might be full.
    with _memory("stdin") as given, _memory("stdout") as out, _memory("stderr") as err:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=given,
                stdout=out,
                stderr=err,
                env=environment(os.environ, url, access) | (_OFFLINE if is_offline else {}),
                start_new_session=True,
                pass_fds=keep_open,
            )
        except FileNotFoundError as error:
            raise GitMissing("git is not installed: install it") from error
        status = _wait(process, timeout, arguments[0], stop, lambda: _is_too_much(out, err))
        if status:
            raise _failure(_content(err), access, f"git {arguments[0]} exited with status {status}")
        return _content(out)


def environment(inherited: Mapping[str, str], url: str = "", access: Access | None = None) -> dict[str, str]:
    """The environment variables for git.

    Adds the configuration of `access` to any configuration that `inherited` contains.
    """
    access = access or Access()
    kept = {name: value for name, value in inherited.items() if not _NOT_INHERITED.fullmatch(name)}
    loopback = ":http" if address.is_loopback_http(url) else ""
    return {
        **kept,
        **_configuration(kept.get("GIT_CONFIG_COUNT", ""), access.config),
        **access.variables,
        "GIT_ALLOW_PROTOCOL": address.PROTOCOLS + loopback,
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


def _configuration(inherited: str, config: Sequence[tuple[str, str]]) -> dict[str, str]:
    if not config:
        return {}
    first = int(inherited) if inherited.isdecimal() else 0
    found = {"GIT_CONFIG_COUNT": str(first + len(config))}
    for number, (key, value) in enumerate(config, first):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _wait(
    process: subprocess.Popen[bytes],
    timeout: timedelta,
    verb: str,
    stop: Event | None,
    is_too_much: Callable[[], bool],
) -> int:
    end = time.monotonic() + timeout.total_seconds()
    is_killed = True
    try:
        while True:
            left = end - time.monotonic()
            if stop and stop.is_set():
                raise GitStopped(f"git {verb} was stopped because this program is exiting")
            if is_too_much():
                raise GitTooMuch(f"git {verb} wrote more output than this program accepts")
            try:
                status = process.wait(max(0, min(left, _STOP_INTERVAL)))
            except subprocess.TimeoutExpired as error:
                if left <= _STOP_INTERVAL:
                    took = f"git {verb} took longer than {timeout.total_seconds():g} s"
                    raise GitTooSlow(took, "set a longer --git-timeout") from error
            else:
                is_killed = False
                return status
    finally:
        if process.poll() is None:  # timeout, or this process is being stopped
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _reap(process.pid, _REAP_SECONDS if is_killed else 0)


def _reap(group: int, seconds: float) -> None:
    """Reap the zombies of a process group whose leader has ended.

    As PID 1 in a container, this process becomes the parent of the processes that git leaves behind.
    Otherwise, the group contains no child of this process, and the call returns immediately.
    """
    end = time.monotonic() + seconds
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0] or time.monotonic() < end:
            time.sleep(0.001)


def _is_too_much(out: IO[bytes], err: IO[bytes]) -> bool:
    """Whether git has written more than any call needs. The server controls part of what git writes."""
    return os.fstat(out.fileno()).st_size > _MOST or os.fstat(err.fileno()).st_size > _MOST_ERRORS


def _memory(name: str) -> IO[bytes]:
    return os.fdopen(os.memfd_create(f"git-{name}"), "r+b", buffering=0)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _failure(stderr: bytes, access: Access, otherwise: str) -> GitFailed:
    if len(stderr) > 2 * _MOST_OUTPUT:
        stderr = stderr[:_MOST_OUTPUT] + b"\n" + stderr[-_MOST_OUTPUT:]
    # Secrets are removed before the output is cut, because half a secret would not be recognized.
    output = address.scrub(stderr.decode(errors="replace"), access.secrets)
    output = "\n".join(line[:_LONGEST_LINE] for line in output.splitlines())
    row = failure.find(output)
    message, remedy = row.describe(output) if row else ("", "")
    message, remedy = (
        address.scrub(printable(text), access.secrets)[:_LONGEST]
        for text in (message or _complaint(output) or otherwise, remedy)
    )
    return GitFailed(message, remedy, name=row.name if row else "", is_local=row is not None and row.is_local)


def _complaint(output: str) -> str:
    """The most useful line of the output: the first fatal line, or else the last line.

    Only advice follows a fatal line. If the fatal line only says that the connection ended, the line before
    it comes from ssh or the server and is more useful.
    """
    rows = [row.strip() for row in output.splitlines() if row.strip()]
    if not rows:
        return ""
    telling = next((number for number, row in enumerate(rows) if row.startswith("fatal: ")), len(rows) - 1)
    if telling > 0 and "Could not read from remote repository" in rows[telling]:
        telling -= 1
    return _PREFIX.sub("", rows[telling])
