"""A commit in memory, which answers the calls of git that `reconciler.git.tree` makes."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

FILE, LINK, SUBMODULE = b"100644", b"120000", b"160000"
SHA = "5d41402abc4b2a76b9719d911017c592e0d7a2f6"


@dataclass(slots=True)
class FakeCommit:
    """The files of a commit: path, mode and content. Paths may be anything that `git ls-tree -r -z` can print."""

    files: Iterable[tuple[bytes, bytes, bytes]]
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    rows: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path, mode, content in self.files:
            name = hashlib.sha1(content, usedforsecurity=False).hexdigest().encode()
            if mode != SUBMODULE:
                self.blobs[name] = content
            kind = b"commit" if mode == SUBMODULE else b"blob"
            self.rows.append(b"%s %s %s\t%s\0" % (mode, kind, name, path))

    def git(self, arguments: Sequence[str], stdin: bytes) -> bytes:
        names = stdin.split()
        match arguments:
            case ["ls-tree", "-r", "-z", "--full-tree", _]:
                return b"".join(self.rows)
            case ["cat-file", "--batch-check"]:
                return b"".join(self._header(name) for name in names)
            case ["cat-file", "--batch"]:
                return b"".join(self._header(name) + self.blobs[name] + b"\n" for name in names)
        raise AssertionError(f"git is called in a way that this commit does not know: {arguments}")

    def _header(self, name: bytes) -> bytes:
        if name not in self.blobs:
            return b"%s missing\n" % name
        return b"%s blob %d\n" % (name, len(self.blobs[name]))
