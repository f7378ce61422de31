"""Reads the history of a branch: the authors of lines, and the spec files before and after earlier changes.

The commits and directories of the history are fetched without files. Then all required versions of files are
fetched together.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from reconciler.git.clone import PARTIAL, Clone
from reconciler.git.credentials import Access
from reconciler.git.remote import Remote
from reconciler.spec.author import Author
from reconciler.spec.files import File
from reconciler.spec.selection import Selection
from reconciler.spec.wording import printable

_SHA = re.compile("[0-9a-f]{40,64}")
_MOST_CHANGES = 5  # maximum number of changes of a text that are examined

FilesAt = Callable[[str], Selection]
"""Returns the spec files of the commit with this id."""


@dataclass(frozen=True, slots=True)
class History:
    """The history of the commit at `ref` in a clone."""

    clone: Clone
    remote: Remote
    ref: str

    def authors(self, sha: str, lines: Collection[tuple[str, int]]) -> tuple[Author, ...]:
        """The authors of the most recent change to any of these lines, as of the commit `sha`.

        Each line is a path and a line number. There are several authors if parallel changes were merged.
        Raises GitFailed if git fails.
        """
        by_file: dict[str, list[int]] = {}
        for path, number in sorted(lines):
            by_file.setdefault(path, []).append(number)
        if not by_file:
            return ()
        access = self._fetch(sha, by_file)
        found: dict[str, Author] = {}
        for path, numbers in by_file.items():
            ranges = [f"-L{number},{number}" for number in numbers]
            blame = ["blame", "--incremental", "--ignore-revs-file=", *ranges, sha, "--", path]
            found |= _blame_authors(self._git(blame, access).decode(errors="replace"))
        last = self._git(["merge-base", "--independent", *found], access) if found else b""
        return tuple(sorted({found[each] for each in last.decode().split()}))

    def past_files(
        self, sha: str, text: str, paths: Collection[str], files_at: FilesAt
    ) -> Iterator[tuple[File, ...]]:
        """The spec files before and after each commit that added or removed `text` in `paths`.

        For each commit, newest first, yields the files before the commit and then the files after it. Skips a
        version that has problems. Examines at most five commits, back from `sha`. Raises GitFailed if git
        fails.
        """
        if not text or not paths:
            return
        access = self._fetch(sha, paths)
        how = ("--first-parent", "-m", "--no-show-signature", "--no-textconv", f"--max-count={_MOST_CHANGES}")
        log = ("log", *how, "--format=%H %P", "--no-patch", f"-S{text}", "--regexp-ignore-case", sha, "--")
        found = self._git([*log, *_literal(paths)], access)
        for line in found.decode().splitlines():
            after, *before = line.split()
            for each in (*before[:1], after):
                there = files_at(each)
                if not there.problems:
                    yield there.files

    def _fetch(self, sha: str, paths: Collection[str]) -> Access:
        """Fetch the history of these paths.

        Returns an `Access` that lets git fetch a renamed file on demand.
        """
        if not self.clone.has_history(self.ref):
            self.remote.fetch(self.clone, self.ref, "--unshallow")
        listing = ["rev-list", "--objects", "--missing=print", sha, "--", *_literal(paths)]
        lines = self.clone.git(listing, access=PARTIAL).decode(errors="replace").splitlines()
        if missing := [line[1:] for line in lines if line.startswith("?")]:
            self.remote.fetch_files(self.clone, self.ref, missing)
        return self.remote.lazy_access()

    def _git(self, arguments: Sequence[str], access: Access) -> bytes:
        return self.clone.git(arguments, url=self.remote.address.bare, access=access)


def _literal(paths: Collection[str]) -> list[str]:
    return [f":(literal){each}" for each in sorted(paths)]


def _blame_authors(blame: str) -> dict[str, Author]:
    """The author of each commit in the output of `git blame --incremental`, by commit id."""
    found: dict[str, Author] = {}
    sha, name = "", ""
    for line in blame.splitlines():
        key, _, value = line.partition(" ")
        if _SHA.fullmatch(key):
            sha = key
        elif key == "author":
            name = printable(value)
        elif key == "author-mail":
            found[sha] = Author(name, printable(value.removeprefix("<").removesuffix(">")))
    return found
