"""A remote repository of the tests: a bare one, a work tree that pushes to it, and a clone."""

import subprocess
from collections.abc import Sequence
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

    def commits(self, number: int) -> list[str]:
        """Commits that change a spec and another file each. The server has them, and main is where it was."""
        for each in range(number):
            self.write("specs/web.yaml", f"a: {each}\n")
            self.write("app/program", f"{each}\n")
            self.git("add", "--all")
            self.git("commit", "--quiet", "-m", f"change {each}")
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/all")
        return self.git("rev-list", "--reverse", f"--max-count={number}", "HEAD").splitlines()

    def point(self, sha: str) -> None:
        """Have main name a commit that the server has."""
        self.git(f"--git-dir={self.bare}", "update-ref", "refs/heads/main", sha)

    def follow(self, shas: Sequence[str]) -> None:
        """Fetch what a clone has that followed main through these commits. The first one is valid."""
        self.point(shas[0])
        repository = self.repository()
        repository.mark_valid(repository.commit().sha)
        settings = (
            "remote.s.promisor=true",
            "remote.s.partialCloneFilter=blob:none",
            f"remote.s.url={self.url}",
        )
        how = [part for each in settings for part in ("-c", each)]
        for start in range(0, len(shas), 10):
            self.git(self.in_clone, *how, "fetch", "--quiet", "--depth=1", "s", *shas[start : start + 10])

    @property
    def in_clone(self) -> str:
        """The option that has git work in the clone."""
        return f"--git-dir={self.clone / 'repository.git'}"

    def shallow(self) -> list[str]:
        """The commits that the clone has without their history."""
        return (self.clone / "repository.git" / "shallow").read_text().split()

    def repository(self, *, branch: str = "main", path: str = "specs") -> Repository:
        return Repository(self.url, Revision("branch", branch), path, self.clone)
