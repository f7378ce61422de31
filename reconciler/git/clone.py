"""The directory that a branch is fetched into: a bare repository and a lock file.

Only `repository.git` in the directory is ever removed, so a wrong directory loses no files. This process and
every git process it starts hold the lock. The holder therefore knows that no other git process is running
here and that any lock files of git were left behind by a killed process.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reconciler.git import program

_POLL_INTERVAL = 0.1  # seconds between attempts to acquire a lock that another process holds


class CloneBusy(Exception):
    """Another process held the clone for the whole timeout."""


@dataclass(frozen=True, slots=True)
class Clone:
    """A locked clone. `lock` is the file descriptor that holds the lock."""

    repository: Path
    lock: int

    def is_sound(self, ref: str, timeout: timedelta) -> bool:
        """Whether all objects of the commit at `ref` exist, or nothing has been fetched yet."""
        try:
            found = self.git(["for-each-ref", "--format=%(objectname)", ref], timeout=timeout)
            if found.strip():
                self.git(
                    ["fsck", "--connectivity-only", "--no-dangling", "--no-progress", ref], timeout=timeout
                )
        except (program.GitTooSlow, program.GitMissing):
            return True  # could not be checked
        except program.GitFailed:
            return False
        # A ref that exists but is not listed is broken.
        return bool(found.strip()) or not (self.repository / ref).exists()

    def has_history(self, ref: str, timeout: timedelta) -> bool:
        """Whether the whole history of the commit at `ref` has been fetched. Raises GitFailed."""
        if (self.repository / "shallow").exists():
            return False
        return bool(self.git(["for-each-ref", "--format=%(objectname)", ref], timeout=timeout).strip())

    def git(self, arguments: list[str], *, timeout: timedelta, url: str = "", stdin: bytes = b"") -> bytes:
        """The output of git in this clone."""
        return program.run(
            arguments,
            repository=self.repository,
            timeout=timeout,
            url=url,
            stdin=stdin,
            keep_open=(self.lock,),
        )

    def prepare(self, timeout: timedelta) -> None:
        """Create the repository if it does not exist, and remove what a killed git process left behind."""
        if not (self.repository / "HEAD").is_file():
            self.remake(timeout)
        for left in _leftovers(self.repository):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def remake(self, timeout: timedelta) -> None:
        """Replace the repository with an empty one."""
        if self.repository.is_dir() and not self.repository.is_symlink():
            shutil.rmtree(self.repository)
        else:
            self.repository.unlink(missing_ok=True)
        self.git(["init", "--quiet", "--bare", "--template="], timeout=timeout)


@contextmanager
def lock(directory: Path, timeout: timedelta) -> Iterator[Clone]:
    """The clone in this directory, locked against other processes. Raises CloneBusy or OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, directory, timeout)
        yield Clone(directory / "repository.git", descriptor)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, directory: Path, timeout: timedelta) -> None:
    end = time.monotonic() + timeout.total_seconds()
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                waited = f"{timeout.total_seconds():g} s"
                raise CloneBusy(f"another process still uses {directory} after {waited}") from error
            time.sleep(_POLL_INTERVAL)


def _leftovers(repository: Path) -> Iterator[Path]:
    """Lock files and incomplete packs that a killed git process leaves behind and that block a later one."""
    yield from repository.glob("*.lock")
    yield from (repository / "refs").rglob("*.lock")
    objects = repository / "objects"
    yield from objects.glob("info/**/*.lock")
    for pattern in ("tmp_*", "incoming-*", "pack/tmp_*", "pack/.tmp-*"):
        yield from objects.glob(pattern)
