"""The directory that a branch is fetched into: a bare repository and a lock file.

Only `repository.git` in the directory is ever removed, so no other file is lost if the wrong directory is
named. This process and every git process that it starts hold the lock. While this process holds it, no other
git process uses the clone, and any git lock files were left behind by a killed process.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event

from reconciler.git import program
from reconciler.git.credentials import Access

_POLL_INTERVAL = 0.1  # seconds between attempts to acquire a lock that another process holds
_MOST_SHALLOW = 50  # commits without their history; git sends a list of them with every fetch

REMOTE = "source"
"""The name of the remote, in the configuration that is passed to each call of git."""

PARTIAL = Access(
    ((f"remote.{REMOTE}.promisor", "true"), (f"remote.{REMOTE}.partialCloneFilter", "blob:none"))
)
"""Configuration that lets files be absent from the clone. Without it, git reports absent files as errors."""


class CloneBusy(Exception):
    """Another process held the lock of the clone for the whole timeout."""


@dataclass(frozen=True, slots=True)
class Clone:
    """A locked clone.

    lock: the file descriptor that holds the lock.
    timeout: the time limit for each git call.
    stop: setting this event ends a git call immediately.
    """

    repository: Path
    lock: int
    timeout: timedelta
    stop: Event = field(default_factory=Event)

    def is_sound(self, ref: str) -> bool:
        """Whether the commit at `ref` is complete, except for files.

        Also true if nothing has been fetched yet, or if a fault on this machine prevents the check.
        """
        try:
            found = self.resolve(ref)
            if found:
                self.git(
                    ["rev-list", "--objects", "--missing=allow-promisor", "--quiet", ref], access=PARTIAL
                )
        except program.GitFailed as error:
            return error.is_local  # could not be checked
        # A ref is broken if its file exists but git does not list it.
        return bool(found) or not (self.repository / ref).exists()

    def resolve(self, ref: str) -> str:
        """The id of the object that `ref` names, or "" if there is no such ref.

        Raises GitFailed if git fails.
        """
        return self.git(["for-each-ref", "--format=%(objectname)", ref]).decode().strip()

    def set_ref(self, ref: str, sha: str) -> None:
        """Make `ref` name the object with the id `sha`. Raises GitFailed if git fails."""
        self.git(["update-ref", ref, sha])

    def has_history(self, ref: str) -> bool:
        """Whether the whole history of the commit at `ref` has been fetched.

        Raises GitFailed if git fails.
        """
        return not (self.repository / "shallow").exists() and bool(self.resolve(ref))

    def compact(self) -> None:
        """Remove the objects that no ref reaches, once there are more than 50 shallow commits.

        git's own gc never removes an object that a server sent in a fetch without files. This method can be
        interrupted: at every moment, the clone has all objects that a ref reaches.

        Raises GitFailed if git fails, and OSError if a file cannot be written or removed.
        """
        shallow = self.repository / "shallow"
        commits = shallow.read_text().split() if shallow.exists() else []
        if len(commits) <= _MOST_SHALLOW:
            return
        objects = self.repository / "objects"
        pack = [
            "pack-objects",
            "--quiet",
            "--all",
            "--missing=allow-promisor",
            str(objects / "pack" / "pack"),
        ]
        new = tuple(f"pack-{each}" for each in self.git(pack, access=PARTIAL).decode().split())
        for name in new:
            (objects / "pack" / f"{name}.promisor").touch()  # so git accepts that files are absent
        old = [each for each in (objects / "pack").iterdir() if not each.name.startswith(new)]
        old.sort(key=lambda each: each.suffix == ".pack")  # packs last, so no index names a missing pack
        for each in (*old, *objects.glob("[0-9a-f][0-9a-f]"), *objects.glob("info/commit-graph*")):
            _remove(each)
        reached = set(self.git(["rev-list", "--all"]).decode().split())
        fewer = self.repository / "shallow.new"
        fewer.write_text("".join(f"{each}\n" for each in commits if each in reached))
        fewer.replace(shallow)

    def git(
        self, arguments: Sequence[str], *, url: str = "", access: Access | None = None, stdin: bytes = b""
    ) -> bytes:
        """Run git in this clone. Returns its standard output. Raises GitFailed if git fails."""
        return program.run(
            arguments,
            repository=self.repository,
            timeout=self.timeout,
            url=url,
            access=access,
            stdin=stdin,
            keep_open=(self.lock,),
            stop=self.stop,
        )

    def prepare(self) -> None:
        """Create the repository if it does not exist, and remove what a killed git process left behind."""
        if not (self.repository / "HEAD").is_file():
            self.remake()
        for left in _leftovers(self.repository):
            _remove(left)

    def remake(self) -> None:
        """Replace the repository with an empty one."""
        if self.repository.is_dir() and not self.repository.is_symlink():
            shutil.rmtree(self.repository)
        else:
            self.repository.unlink(missing_ok=True)
        self.git(["init", "--quiet", "--bare", "--template="])


@contextmanager
def lock(
    directory: Path, timeout: timedelta, stop: Event | None = None, *, wait: timedelta | None = None
) -> Iterator[Clone]:
    """The clone in `directory`, locked against other processes.

    `timeout` limits each git call. It also limits the wait for the lock, unless `wait` is shorter.

    Raises CloneBusy if another process keeps the lock for that long, or if `stop` is set during the wait.
    Raises OSError if the directory cannot be used.
    """
    stop = stop or Event()
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, directory, timeout if wait is None else min(wait, timeout), stop)
        yield Clone(directory / "repository.git", descriptor, timeout, stop)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, directory: Path, timeout: timedelta, stop: Event) -> None:
    end = time.monotonic() + timeout.total_seconds()
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if stop.is_set() or time.monotonic() >= end:
                waited = f"{timeout.total_seconds():g} s"
                raise CloneBusy(f"another process is still using {directory} after {waited}") from error
            stop.wait(_POLL_INTERVAL)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _leftovers(repository: Path) -> Iterator[Path]:
    """The files that a killed process leaves behind: partial packs, keys, and lock files, which block git."""
    yield from repository.glob("*.lock")
    yield from repository.glob("tmp_keys_*")
    yield from (repository / "refs").rglob("*.lock")
    objects = repository / "objects"
    yield from objects.glob("info/**/*.lock")
    for pattern in ("tmp_*", "incoming-*", "pack/tmp_*", "pack/.tmp-*"):
        yield from objects.glob(pattern)
