"""A remote repository of the tests: a bare one, a work tree that pushes to it, and a clone."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.repository import Repository
from reconciler.git.revision import Revision


@dataclass(frozen=True, slots=True)
class Remote:
    """A bare repository, a work tree that pushes to it, and the directory of the clone."""

    bare: Path
    tree: Path
    clone: Path

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.tree, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, name: str, content: str | bytes = "a: 1\n") -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def push(self, message: str = "a change", *, branch: str = "main") -> str:
        """Commit all changes and force-push them. Returns the id of the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def repository(self, *, branch: str = "main", path: str = "specs") -> Repository:
        return Repository(self.url, Revision("branch", branch), path, self.clone)
