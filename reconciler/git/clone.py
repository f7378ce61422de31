"""The directory that a branch is fetched into: a bare repository and a lock, both ours alone.

Only `repository.git` in it is ever removed, so a directory that was named by mistake loses nothing. The lock
is held by us and by every git we start: whoever has it knows that no git is at work here, and that lock files
of git's own were left by one that was killed.
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

_POLL_INTERVAL = 0.1  # seconds between looks at a lock that somebody else holds


class CloneBusy(Exception):
    """Somebody else has been working with the clone for all the time that we could wait."""


@dataclass(frozen=True, slots=True)
class Clone:
    """A locked clone; `lock` is the descriptor that holds the lock."""

    repository: Path
    lock: int

    def is_sound(self, ref: str, timeout: timedelta) -> bool:
        """Whether everything is there that the commit at `ref` needs, or nothing has been fetched yet."""
        try:
            found = self.git(["for-each-ref", "--format=%(objectname)", ref], timeout=timeout)
            if found.strip():
                self.git(
                    ["fsck", "--connectivity-only", "--no-dangling", "--no-progress", ref], timeout=timeout
                )
        except (program.GitTooSlow, program.GitMissing):
            return True  # not known to be broken
        except program.GitFailed:
            return False
        return bool(found.strip()) or not (self.repository / ref).exists()  # there, yet not listed: broken

    def has_history(self, ref: str, timeout: timedelta) -> bool:
        """Whether all commits before the one at `ref` are there too. Raises GitFailed."""
        if (self.repository / "shallow").exists():
            return False
        return bool(self.git(["for-each-ref", "--format=%(objectname)", ref], timeout=timeout).strip())

    def git(self, arguments: list[str], *, timeout: timedelta, url: str = "", stdin: bytes = b"") -> bytes:
        """What git prints when called in this clone."""
        return program.run(
            arguments,
            repository=self.repository,
            timeout=timeout,
            url=url,
            stdin=stdin,
            keep_open=(self.lock,),
        )

    def prepare(self, timeout: timedelta) -> None:
        """Make the repository where there is none, and remove what a killed git left in it."""
        if not (self.repository / "HEAD").is_file():
            self.remake(timeout)
        for left in _leftovers(self.repository):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def remake(self, timeout: timedelta) -> None:
        """An empty repository in place of whatever is there."""
        if self.repository.is_dir() and not self.repository.is_symlink():
            shutil.rmtree(self.repository)
        else:
            self.repository.unlink(missing_ok=True)
        self.git(["init", "--quiet", "--bare", "--template="], timeout=timeout)


@contextmanager
def lock(directory: Path, timeout: timedelta) -> Iterator[Clone]:
    """The clone in this directory, nobody else at work in it. Raises CloneBusy, or OSError."""
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
                raise CloneBusy(f"another reconciler has been using {directory} all the time") from error
            time.sleep(_POLL_INTERVAL)


def _leftovers(repository: Path) -> Iterator[Path]:
    """Lock files and half-written packs, which git leaves when it is killed and then trips over or keeps."""
    yield from repository.glob("*.lock")
    yield from (repository / "refs").rglob("*.lock")
    objects = repository / "objects"
    yield from objects.glob("info/**/*.lock")
    for pattern in ("tmp_*", "incoming-*", "pack/tmp_*", "pack/.tmp-*"):
        yield from objects.glob(pattern)
