"""Whatever a commit contains, its specs are read or named. The commits are those that git can transport."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.spec.directory import read_paths
from reconciler.spec.ignore import NAME as IGNORE
from reconciler.spec.ignore import Ignore
from tests.fuzz.commit import FILE, LINK, SUBMODULE
from tests.fuzz.properties import check_commit, check_ignore, check_message, files_of

# Few names, so that paths meet: files below links, links in loops, a directory with the name of a file.
NAMES = st.sampled_from(
    ["a", "b", "a.yaml", "b.yml", "c.YAML", "d.json", ".hidden", IGNORE, "x.yaml", "\udcff.yaml", "\x1b[2J.yaml", "\u202elmay.a", "a\nb.yaml",
     "-x.yaml", ":(glob)*.yaml", "specs"]
)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PATTERNS = st.lists(
    st.sampled_from(["*", "**", "/", "a", "b", "a.yaml", "?", "[a-c]", "[!a]", "[", "]", "[z-a]", "[--a]", "[a&&b]", "\\", "!", "#", " ", "\n", "\r\n", "\ud800"]),
    max_size=12,
).map("".join)  # fmt: skip
TARGETS = st.one_of(
    PATHS,
    st.lists(st.sampled_from(["..", ".", "", "a", "b", "a.yaml", ".hidden", "\udcff"]), max_size=6).map(
        "/".join
    ),
    st.sampled_from(["/etc/passwd", "a/" * 2500, "\x1b[31m", "\u202e", ""]),
)
CONTENTS = st.sampled_from(
    ["", "a: 1\n", "apiVersion: vmss-reconciler/v1alpha1\n", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "\xff"]
)  # fmt: skip
ENTRIES = st.dictionaries(
    PATHS,
    st.tuples(st.just(FILE), CONTENTS | PATTERNS)
    | st.tuples(st.just(LINK), TARGETS)
    | st.tuples(st.just(SUBMODULE), st.just("")),
    max_size=8,
)


def lines(entries: dict[str, tuple[bytes, str]]) -> bytes:
    """The entries in the form of `files_of`, which leaves out what no tree can contain."""
    letters = {FILE: b"f", LINK: b"l", SUBMODULE: b"s"}
    rows = (
        b"\t".join((letters[mode], os.fsencode(path), content.encode("utf-8", "surrogatepass")))
        for path, (mode, content) in entries.items()
    )
    return b"\0".join(row.replace(b"\0", b"") for row in rows)


@settings(max_examples=150)
@given(ENTRIES)
def test_a_commit_is_read_or_its_entries_are_named(entries: dict[str, tuple[bytes, str]]) -> None:
    check_commit(files_of(lines(entries), separator=b"\0"))


@settings(max_examples=40)
@given(ENTRIES)
def test_a_directory_is_read_or_its_entries_are_named(entries: dict[str, tuple[bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for path, mode, content in files_of(lines(entries), separator=b"\0"):
            place = top / os.fsdecode(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            if mode == FILE:
                place.write_bytes(content)
            elif mode == SUBMODULE:
                (place / ".git").mkdir(parents=True)
            elif 0 < len(content) < 4096:
                place.symlink_to(os.fsdecode(content))
        found = read_paths([top])
    for problem in (*found.problems, *found.warnings):
        check_message(str(problem))
    assert found.files or found.problems
    assert all(file.path.isprintable() for file in found.files)


@settings(max_examples=200)
@given(PATTERNS, PATHS)
def test_any_patterns_are_compared_or_refused(patterns: str, path: str) -> None:
    check_ignore(patterns, path)


@given(st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]"]), min_size=1, max_size=8).map("".join), st.text("ab", min_size=1, max_size=8))  # fmt: skip
def test_a_name_fits_as_if_all_combinations_were_tried(pattern: str, name: str) -> None:
    """The reference tries all, which is fine for short names."""
    assert Ignore.of(pattern).covers(name) == fits(pattern, name)


def fits(pattern: str, name: str) -> bool:
    if not pattern or pattern == "*":
        return bool(pattern) or not name
    if pattern.startswith("*"):
        return any(fits(pattern[1:], name[start:]) for start in range(len(name) + 1))
    part = 4 if pattern.startswith("[") else 1
    return bool(name) and pattern[:part] in (name[0], "?", "[ab]") and fits(pattern[part:], name[1:])
