"""The git program: how we call it, how long it may take, and what its failures say.

Nothing git does here may wait for a person, run a hook, or outlive us: no prompts, no terminal (a session of
its own, in which ssh cannot ask either), and a deadline after which the whole process group is killed. System
and user configuration stay in force: operators keep proxies, CA files and credential helpers there.
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

# Of no use to us and able to point git elsewhere: a git hook that runs our tests sets them.
_NOT_INHERITED = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|NAMESPACE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|PREFIX|QUARANTINE_PATH|TRACE.*)|SSH_ASKPASS"
)
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "credential.interactive=false",
    "gc.autoDetach=false",  # or it would outlive the deadline
    "gc.pruneExpire=now",  # only the newest commit is ever read
    "maintenance.autoDetach=false",
)
_LONGEST = 300  # characters of git's own words
_PREFIX = re.compile(r"^(fatal|error|remote|ERROR|warning): ")


class GitFailed(Exception):
    """The program ended with an error. The message is one line of git's own, without credentials."""


class GitTooSlow(GitFailed):
    """The program did not end in time and was killed."""


class GitMissing(GitFailed):
    """There is no such program."""


def run(
    arguments: Sequence[str],
    *,
    repository: Path,
    timeout: timedelta,
    url: str = "",
    stdin: bytes = b"",
    keep_open: Sequence[int] = (),
) -> bytes:
    """What git prints when called in a bare repository. `url` is only to clean messages of its credentials.

    The descriptors in `keep_open` stay open in git and all it starts: a lock that is held there is held until
    the last of them is gone, even when we are killed first.
    """
    command = ["git", f"--git-dir={repository}"]
    for setting in _SETTINGS:
        command += ("-c", setting)
    # Files and not pipes: a process that ssh leaves in the background would hold a pipe open and us waiting.
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
            raise GitMissing("the git program is not installed: install git") from error
        status = _wait(process, timeout, arguments[0])
        if status:
            raise GitFailed(
                _complaint(_content(err), url) or f"git {arguments[0]} ended with status {status}"
            )
        return _content(out)


def environment(inherited: Mapping[str, str], url: str = "") -> dict[str, str]:
    """The environment that git runs in."""
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
        if process.poll() is None:  # too slow, or we are being stopped
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _complaint(stderr: bytes, url: str) -> str:
    """The line that says most: the first fatal one, for advice follows it; where that only says that the
    connection ended, the one before it, which is ssh's or the server's; the last if none is fatal."""
    rows = [row.strip() for row in stderr.decode(errors="replace").splitlines() if row.strip()]
    if not rows:
        return ""
    telling = next((number for number, row in enumerate(rows) if row.startswith("fatal: ")), len(rows) - 1)
    if telling > 0 and "Could not read from remote repository" in rows[telling]:
        telling -= 1
    line = printable(_PREFIX.sub("", rows[telling]))
    return address.scrub(line, url)[:_LONGEST]
