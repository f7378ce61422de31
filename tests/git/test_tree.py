"""Whatever a commit contains, its specs are read or named, and nothing else happens."""

import subprocess
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.git.clone import lock
from reconciler.git.tree import Corrupt, Tree

MODES = {"100644": "blob", "100755": "blob", "120000": "blob", "160000": "commit", "40000": "tree"}
NAMES = st.one_of(
    st.binary(min_size=1, max_size=12).map(lambda name: name.replace(b"/", b"-").replace(b"\0", b"-")),
    st.sampled_from([b"web.yaml", b"api.YML", b".hidden.yaml", b"specs", b"-x.yaml", b":(glob)*.yaml", b"a\nb.yaml"]),
)  # fmt: skip
CONTENTS = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"a: 1\n", b"version https://git-lfs\n"]))
FLAT = st.dictionaries(NAMES, st.tuples(st.sampled_from([*MODES]), CONTENTS), max_size=5)

Run = Callable[[Sequence[str], bytes], bytes]


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("fleet.git")
    subprocess.run(["git", "init", "--quiet", "--bare", str(directory)], check=True)

    def run(arguments: Sequence[str], stdin: bytes) -> bytes:
        command = ["git", f"--git-dir={directory}", *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout

    return run


def tree(git: Run, entries: dict[bytes, tuple[str, bytes]], below: str = "") -> str:
    lines = b""
    for name, (mode, content) in entries.items():
        kind = MODES[mode]
        if kind == "blob":
            found = git(["hash-object", "-w", "--stdin"], content).decode().strip()
        else:
            found = below if kind == "tree" else "1" * 40
        lines += f"{mode} {kind} {found}\t".encode() + name + b"\0"
    return git(["mktree", "-z", "--missing"], lines).decode().strip()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(outer=FLAT, inner=FLAT, path=st.sampled_from(["", "specs", "a/b"]))
def test_any_tree_is_read_or_its_entries_are_named(
    git: Run, outer: dict[bytes, tuple[str, bytes]], inner: dict[bytes, tuple[str, bytes]], path: str
) -> None:
    sha = tree(git, outer, tree(git, {name: entry for name, entry in inner.items() if entry[0] != "40000"}))
    found = Tree().spec_files(git, sha, path)
    shown = [each.path for each in found.files]
    shown += [str(each) for each in (*found.problems, *found.warnings)]
    assert shown, "never an empty fleet without a word"
    assert all(text.isprintable() for text in shown)
    contents = {content for entries in (outer, inner) for _, content in entries.values()}
    assert {each.content for each in found.files} <= contents


def test_a_file_that_is_missing_from_the_clone_is_fetched_or_reported(git: Run) -> None:
    missing = "2" * 40
    sha = git(["mktree", "--missing"], f"100644 blob {missing}\tweb.yaml\n".encode()).decode().strip()
    with pytest.raises(Corrupt, match=missing):
        Tree().spec_files(git, sha, "")
    asked: list[Sequence[str]] = []
    with pytest.raises(Corrupt, match=missing):
        Tree().spec_files(git, sha, "", asked.append)
    assert asked == [[missing]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            b"x" * 4096,
            "web.yaml is a broken symbolic link to a path of 4,096 bytes: fix or remove the link",
            id="a link that is longer than a path",
        ),
        pytest.param(
            b"",
            "web.yaml is a broken symbolic link to a path of 0 bytes: fix or remove the link",
            id="an empty link",
        ),
    ],
)
def test_a_link_that_no_file_system_has_leads_nowhere(git: Run, text: bytes, problem: str) -> None:
    sha = tree(git, {b"web.yaml": ("120000", text)})
    assert [str(each) for each in Tree().spec_files(git, sha, "").problems] == [problem]


def test_an_ignore_file_that_is_a_submodule_is_named_and_nothing_is_corrupt(git: Run) -> None:
    sha = tree(git, {b".reconcilerignore": ("160000", b""), b"web.yaml": ("100644", b"a: 1\n")})
    found = Tree().spec_files(git, sha, "")
    assert [str(each) for each in found.problems] == [
        ".reconcilerignore is a submodule, not a file: remove it or name a file"
    ]


def test_directories_that_repeat_are_not_expanded(tmp_path: Path) -> None:
    """Ten directories, each with the one before ten times, name ten thousand million files."""
    with lock(tmp_path, timedelta(minutes=1)) as clone:
        clone.prepare()

        def run(arguments: Sequence[str], stdin: bytes) -> bytes:
            return clone.git(arguments, stdin=stdin)

        blob = run(["hash-object", "-w", "--stdin"], b"a: 1\n").decode().strip()
        below = run(["mktree"], "".join(f"100644 blob {blob}\t{name}.yaml\n" for name in range(10)).encode())
        for _ in range(9):
            rows = (f"040000 tree {below.decode().strip()}\t{name}\n" for name in range(10))
            below = run(["mktree"], "".join(rows).encode())
        found = Tree().spec_files(run, below.decode().strip(), "")
    assert [str(each) for each in found.problems] == [
        ". contains more than fits into memory: name a directory that contains only the specs"
    ]
