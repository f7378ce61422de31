"""Paths of every kind: which are read, and the problems of those that cannot be read."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.spec.directory import read_paths
from reconciler.spec.files import LIMIT


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, so that messages contain only the names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*names: str) -> tuple[list[str], list[str]]:
    found = read_paths([Path(name) for name in names])
    return [file.path for file in found.files], [str(problem) for problem in found.problems]


def test_directories_are_searched_in_order(there: Path) -> None:
    for name in ("b.yaml", "a.yml", "x/c.yaml", "x/y/d.yaml", "README.md", ".hidden/e.yaml", ".f.yaml"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(name.encode())
    assert read(".") == (["a.yml", "b.yaml", "x/c.yaml", "x/y/d.yaml"], [])


def test_a_hidden_file_is_read_if_it_is_named(there: Path) -> None:
    (there / ".f.yaml").touch()
    assert read(".f.yaml") == ([".f.yaml"], [])


def test_a_file_reached_twice_is_read_once(there: Path) -> None:
    (there / "specs").mkdir()
    (there / "specs" / "a.yaml").touch()
    (there / "specs" / "b.yaml").symlink_to("a.yaml")
    assert read("specs/a.yaml", "specs", "specs/../specs") == (["specs/a.yaml"], [])


def test_a_mounted_configmap_is_read_through_its_links(there: Path) -> None:
    (there / "..2026_01").mkdir()
    (there / "..2026_01" / "web.yaml").touch()
    (there / "..data").symlink_to("..2026_01")
    (there / "web.yaml").symlink_to("..data/web.yaml")
    assert read(".") == (["web.yaml"], [])


def test_a_file_of_exactly_the_limit_is_read(there: Path) -> None:
    (there / "a.yaml").write_bytes(b"#" * LIMIT)
    assert read("a.yaml") == (["a.yaml"], [])


def test_every_unreadable_path_is_a_problem(there: Path) -> None:
    (there / "empty").mkdir()
    (there / "dir.yaml").mkdir()
    (there / "spec.json").touch()
    (there / "large.yaml").write_bytes(b"#" * (LIMIT + 1))
    (there / "lost.yaml").symlink_to("nowhere")
    (there / "round.yaml").symlink_to("round.yaml")
    os.mkfifo(there / "pipe.yaml")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket.yaml")
    names = (
        "missing.yaml",
        "empty",
        "dir.yaml",
        "spec.json",
        "large.yaml",
        "lost.yaml",
        "round.yaml",
        "pipe.yaml",
    )
    assert read(*names, "socket.yaml", "large.yaml/a.yaml", "/dev/zero", "nul\0.yaml") == (
        [],
        [
            "/dev/zero is not a spec file: the name must end in .yaml or .yml",
            "dir.yaml is a directory, but its name ends in .yaml or .yml: rename the directory",
            "empty contains no spec files: add a file whose name ends in .yaml or .yml",
            "large.yaml is 1,048,577 bytes, over the limit of 1,048,576: split it into several files",
            "large.yaml/a.yaml does not exist: check the path",
            "lost.yaml is a broken symbolic link to nowhere: fix or remove the link",
            "missing.yaml does not exist: check the path",
            "nul\\x00.yaml does not exist: check the path",
            "pipe.yaml is a named pipe, not a file: remove it or name a file",
            "round.yaml is part of a loop of symbolic links: remove it or point it to a file",
            "socket.yaml is a socket, not a file: remove it or name a file",
            "spec.json is not a spec file: the name must end in .yaml or .yml",
        ],
    )
    listener.close()


def test_unreadable_paths_in_a_directory_are_problems(there: Path) -> None:
    specs = there / "specs"
    (specs / "dir.yaml").mkdir(parents=True)
    (specs / "lost.yaml").symlink_to("nowhere")
    (specs / "up").symlink_to("..")
    os.mkfifo(specs / "pipe.yaml")
    (specs / "a.yaml").touch()
    assert read("specs") == (
        ["specs/a.yaml"],
        [
            "specs/dir.yaml is a directory, but its name ends in .yaml or .yml: rename the directory",
            "specs/lost.yaml is a broken symbolic link to nowhere: fix or remove the link",
            "specs/pipe.yaml is a named pipe, not a file: remove it or name a file",
            "specs/up is a symbolic link to .., outside specs, and is not followed: move the directory below specs",
        ],
    )


def test_a_name_that_is_not_utf_8_is_read_and_printable(there: Path) -> None:
    (there / os.fsdecode(b"caf\xe9.yaml")).touch()
    assert read(".") == (["caf\\udce9.yaml"], [])


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Runs the test as a user without privileges: root, as in a container, may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def locked_away(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory with a file and a directory that other users may not read."""
    with tempfile.TemporaryDirectory() as name:
        request.getfixturevalue(
            "ordinary_user"
        )  # afterwards, because this user may not be able to create a directory there
        path = Path(name)
        path.chmod(0o755)
        (path / "secret.yaml").touch(mode=0)
        (path / "vault").mkdir(mode=0)
        yield path


@pytest.mark.usefixtures("ordinary_user")
def test_a_path_without_read_permission_is_a_problem(locked_away: Path) -> None:
    assert read(str(locked_away)) == (
        [],
        [
            f"{locked_away}/secret.yaml cannot be read by this user: give it read permission",
            f"{locked_away}/vault cannot be read by this user: give it read permission",
        ],
    )
