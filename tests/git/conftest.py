"""git as on a new machine: without configuration, with a user to commit as."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.git.forge import Forge, serve
from tests.git.remote import Remote


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Isolates git from the configuration of this machine. Returns the home directory."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada Löwe")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-01-02T03:04:05+02:00")
    return home


@pytest.fixture
def empty(tmp_path: Path) -> Remote:
    """A remote without commits."""
    remote = Remote(tmp_path / "remotes" / "fleet.git", tmp_path / "tree", tmp_path / "clone")
    remote.tree.mkdir()
    remote.git("init", "--quiet", "--bare", "-b", "main", str(remote.bare))
    for name in ("allowFilter", "allowAnySHA1InWant"):
        remote.git(f"--git-dir={remote.bare}", "config", f"uploadpack.{name}", "true")
    remote.git("init", "--quiet", "-b", "main")
    remote.git("remote", "add", "origin", str(remote.bare))
    return remote


@pytest.fixture
def remote(empty: Remote) -> Remote:
    """A remote with one spec on the branch main."""
    empty.write("specs/web.yaml", "a: 1\n")
    empty.write("README.md", "not a spec\n")
    empty.push("Roll out 24.04 äöü\n\nThe body is not the subject.")
    return empty


@pytest.fixture
def web(remote: Remote) -> Iterator[Forge]:
    """A forge that serves the remote over HTTP."""
    with serve(remote.bare.parent) as forge:
        yield forge
