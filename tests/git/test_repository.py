"""A followed branch with the real git program, through events in the remote and damage to the clone."""

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.git.repository import Commit, Repository, SourceUnreachable
from reconciler.git.revision import branch
from reconciler.spec.author import Author
from reconciler.spec.files import LIMIT, File
from tests.git.remote import Remote


def paths(commit: Commit) -> list[str]:
    return [file.path for file in commit.files]


def problems(commit: Commit) -> list[str]:
    return [str(problem) for problem in commit.problems]


def reason(repository: Repository) -> str:
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    return str(raised.value)


# The contents of a commit


def test_a_commit_has_its_author_time_subject_and_files(remote: Remote) -> None:
    assert remote.repository().commit() == Commit(
        sha=remote.git("rev-parse", "HEAD"),
        author="Ada Löwe",
        at=datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC),
        subject="Roll out 24.04 äöü",
        files=(File("specs/web.yaml", b"a: 1\n"),),
        problems=(),
    )


def test_only_spec_files_below_the_path_are_read(remote: Remote) -> None:
    for name in ("specs/b/c.yml", "specs/notes.md", "specs/.hidden/d.yaml", "specs/.e.yaml", "other/f.yaml"):
        remote.write(name)
    remote.push()
    assert paths(remote.repository().commit()) == ["specs/b/c.yml", "specs/web.yaml"]
    assert paths(remote.repository(path="specs/b/").commit()) == ["specs/b/c.yml"]
    assert paths(remote.repository(path="").commit()) == ["other/f.yaml", "specs/b/c.yml", "specs/web.yaml"]
    assert paths(remote.repository(path=".").commit()) == paths(remote.repository(path="").commit())


def test_entries_that_are_not_readable_files_are_problems(remote: Remote) -> None:
    remote.write("specs/large.yaml", b"#" * (LIMIT + 1))
    remote.write("specs/limit.yaml", b"#" * LIMIT)
    head = remote.git("rev-parse", "HEAD")
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{head},specs/module")
    (remote.tree / "specs" / "module").mkdir()
    remote.push()
    commit = remote.repository().commit()
    assert paths(commit) == ["specs/limit.yaml", "specs/web.yaml"]
    assert problems(commit) == [
        "specs/large.yaml is 1,048,577 bytes, over the limit of 1,048,576: split it into several files",
        "specs/module is a submodule, and submodules are not fetched: commit the specs to this repository",
    ]


def test_files_with_unusual_names_are_read_and_printable(remote: Remote) -> None:
    remote.write(os.fsdecode(b"specs/caf\xe9.yaml"), "latin: 1\n")
    remote.write("specs/ü \x1b\n\t.yaml", "strange: 1\n")
    remote.push()
    assert remote.repository().commit().files == (
        File("specs/caf\\xe9.yaml", b"latin: 1\n"),
        File("specs/web.yaml", b"a: 1\n"),
        File("specs/ü \\x1b\\n\\t.yaml", b"strange: 1\n"),
    )


def test_a_terminal_escape_in_a_subject_is_escaped(remote: Remote) -> None:
    remote.push("bell \x1b[2J")
    assert remote.repository().commit().subject == "bell \\x1b[2J"


@pytest.mark.parametrize(
    "path, expected",
    [
        pytest.param("spec", "spec does not exist in commit {}: did you mean specs?", id="a directory with a similar name"),
        pytest.param("a/b", "a does not exist in commit {}: check the path", id="a directory without a similar name"),
        pytest.param("specs/web.yaml", "specs/web.yaml is a file: name the directory that contains the specs", id="a path of a file"),
        pytest.param("link", "link is a symbolic link, and links are not followed: name the directory that it points to", id="a path of a symbolic link"),
        pytest.param("docs", "docs contains no spec files in commit {}: add a file whose name ends in .yaml or .yml", id="a directory without spec files"),
        pytest.param("sp*", "sp* does not exist in commit {}: check the path", id="a pattern is treated as a name"),
    ],
)  # fmt: skip
def test_a_path_without_specs_is_a_problem_and_not_an_empty_fleet(
    remote: Remote, path: str, expected: str
) -> None:
    (remote.tree / "link").symlink_to("specs")
    remote.write("docs/index.md")
    sha = remote.push()
    commit = remote.repository(path=path).commit()
    assert (commit.files, problems(commit)) == ((), [expected.format(sha[:8])])


# Events in the remote


def test_the_branch_is_followed_forward_and_through_a_forced_push(remote: Remote) -> None:
    repository = remote.repository()
    first = repository.commit()
    remote.write("specs/api.yaml")
    second = remote.push()
    assert (repository.commit().sha, paths(repository.commit())) == (
        second,
        ["specs/api.yaml", "specs/web.yaml"],
    )
    remote.git("checkout", "--quiet", "--orphan", "rewritten")
    remote.git("rm", "-r", "--quiet", "--cached", ".")
    shutil.rmtree(remote.tree / "specs")
    remote.write("specs/other.yaml")
    third = remote.push()
    assert (repository.commit().sha, paths(repository.commit())) == (third, ["specs/other.yaml"])
    remote.git("push", "--quiet", "--force", "origin", f"{first.sha}:refs/heads/main")
    assert repository.commit() == first


def test_only_the_newest_commit_of_the_branch_is_fetched(remote: Remote) -> None:
    for _ in range(3):
        remote.push()
    remote.git("tag", "v1")
    remote.push(branch="other")
    remote.git("push", "--quiet", "--tags", "origin")
    remote.repository().commit()
    clone = f"--git-dir={remote.clone / 'repository.git'}"
    assert remote.git(clone, "rev-list", "--all", "--count") == "1"
    assert len(remote.git(clone, "for-each-ref").splitlines()) == 1


def test_after_a_branch_is_deleted_the_last_commit_is_readable(remote: Remote) -> None:
    repository = remote.repository()
    commit = repository.commit()
    remote.git(f"--git-dir={remote.bare}", "branch", "-m", "main", "mein")
    assert reason(repository) == f"{remote.url} has no branch main; existing branches: mein"
    assert repository.last() == commit


def test_an_empty_repository_is_reported(empty: Remote) -> None:
    assert reason(empty.repository()) == f"{empty.url} is empty: push the specs to its branch main"
    assert empty.repository().last() is None


def test_a_remote_that_is_unreachable_for_a_while(remote: Remote) -> None:
    repository = remote.repository()
    commit = repository.commit()
    away = remote.bare.rename(remote.bare.with_name("away"))
    assert reason(repository) == (
        f"branch main of {remote.url} cannot be fetched: {remote.bare} is not a git repository; "
        "check the URL; its path must be that of a clone or a bare repository"
    )
    assert repository.last() == commit
    away.rename(remote.bare)
    assert repository.commit() == commit


def test_a_clone_of_another_source_has_no_last_commit_for_this_one(remote: Remote) -> None:
    remote.repository().commit()
    remote.push(branch="trunk")
    assert remote.repository(branch="trunk").last() is None
    assert remote.repository().last() is not None


def test_a_clone_that_cannot_be_used_has_no_last_commit(remote: Remote) -> None:
    remote.clone.write_text("a file where the directory should be")
    with pytest.raises(SourceUnreachable, match="cannot be used"):
        remote.repository().commit()
    assert remote.repository().last() is None


def test_a_path_can_be_a_source(remote: Remote) -> None:
    assert paths(Repository(str(remote.bare), branch("main"), "specs", remote.clone).commit()) == [
        "specs/web.yaml"
    ]


# Damage to the clone


def bare(remote: Remote) -> Path:
    return remote.clone / "repository.git"


def ref(remote: Remote) -> Path:
    (found,) = (bare(remote) / "refs" / "reconciler").iterdir()
    return found


def objects(remote: Remote) -> list[Path]:
    return [path for path in (bare(remote) / "objects").rglob("*") if path.is_file()]


def truncate_objects(remote: Remote) -> None:
    for path in objects(remote):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def delete_objects(remote: Remote) -> None:
    for path in objects(remote):
        path.unlink()


def replace_by_a_file(remote: Remote) -> None:
    shutil.rmtree(bare(remote))
    bare(remote).touch()


DAMAGE: list[tuple[str, Callable[[Remote], object]]] = [
    ("HEAD is missing", lambda remote: (bare(remote) / "HEAD").unlink()),
    ("HEAD is corrupt", lambda remote: (bare(remote) / "HEAD").write_bytes(b"\0\0")),
    ("the configuration is corrupt", lambda remote: (bare(remote) / "config").write_text("[[[")),
    ("the ref is empty, as after a power failure", lambda remote: ref(remote).write_text("")),
    ("the ref names a missing object", lambda remote: ref(remote).write_text("1" * 40 + "\n")),
    ("the list of shallow commits is corrupt", lambda remote: (bare(remote) / "shallow").write_text("x\n")),
    ("every object is truncated", truncate_objects),
    ("every object is missing", delete_objects),
    ("the object directory is missing", lambda remote: shutil.rmtree(bare(remote) / "objects")),
    ("the repository is missing", lambda remote: shutil.rmtree(bare(remote))),
    ("the repository is a regular file", replace_by_a_file),
]


@pytest.mark.parametrize("damage", [pytest.param(damage, id=sentence) for sentence, damage in DAMAGE])
def test_a_broken_clone_is_recreated(remote: Remote, damage: Callable[[Remote], object]) -> None:
    commit = remote.repository().commit()
    damage(remote)
    assert remote.repository().last() in (None, commit)
    assert remote.repository().commit() == commit
    assert remote.repository().last() == commit


def test_a_clone_that_breaks_while_the_remote_is_unreachable_is_recreated_later(remote: Remote) -> None:
    commit = remote.repository().commit()
    away = remote.bare.rename(remote.bare.with_name("away"))
    ref(remote).write_text("")
    assert "is not a git repository" in reason(remote.repository())
    away.rename(remote.bare)
    assert remote.repository().commit() == commit


def test_files_left_by_a_killed_git_are_removed(remote: Remote) -> None:
    remote.repository().commit()
    sha = remote.push()
    left = [
        bare(remote) / "shallow.lock",
        bare(remote) / "index.lock",
        bare(remote) / "HEAD.lock",
        bare(remote) / "config.lock",
        bare(remote) / "packed-refs.lock",
        ref(remote).with_suffix(".lock"),
        bare(remote) / "objects" / "pack" / "tmp_pack_1a2b3c",
        bare(remote) / "objects" / "tmp_objdir-incoming-1a2b3c" / "tmp_obj",
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert remote.repository().commit().sha == sha
    assert [path for path in left if path.exists()] == []


def test_other_files_in_the_clone_directory_are_kept(remote: Remote) -> None:
    remote.clone.mkdir()
    (remote.clone / "thesis.txt").write_text("all of it")
    remote.repository().commit()
    shutil.rmtree(bare(remote) / "objects")
    remote.repository().commit()
    assert (remote.clone / "thesis.txt").read_text() == "all of it"


def test_a_clone_directory_that_cannot_be_created_is_reported(remote: Remote) -> None:
    remote.clone.write_text("")
    assert reason(remote.repository()) == f"the clone in {remote.clone} cannot be used: file exists"


def test_a_second_process_waits_for_the_lock(remote: Remote) -> None:
    from reconciler.git.clone import lock

    short = Repository(remote.url, branch("main"), "specs", remote.clone, timeout=timedelta(seconds=0.2))
    with lock(remote.clone, timedelta(seconds=1)):
        assert reason(short) == (
            f"the clone in {remote.clone} cannot be used: another process is still using {remote.clone} after 0.2 s"
        )
    assert remote.repository().commit().problems == ()


def test_a_question_about_the_history_does_not_wait_for_a_fetch_that_hangs(remote: Remote) -> None:
    from reconciler.git.clone import lock

    repository = remote.repository()
    sha = repository.commit().sha
    with lock(remote.clone, timedelta(seconds=1)):
        begun = time.monotonic()
        assert repository.authors(sha, [("specs/web.yaml", 1)]) == ()
        assert time.monotonic() - begun < 30
    assert len(repository.authors(sha, [("specs/web.yaml", 1)])) == 1


# Authors


def commit_as(remote: Remote, name: str, content: str, *, by: str, on: str = "main") -> str:
    """A pushed commit by this author. Returns its id."""
    remote.git("checkout", "--quiet", "-B", on)
    remote.write(name, content)
    remote.git("add", "--all")
    remote.git("commit", "--quiet", "-m", "a change", "--author", f"{by} <{by.casefold()}@example.com>")
    remote.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{on}")
    return remote.git("rev-parse", "HEAD")


def names(found: tuple[Author, ...]) -> list[str]:
    return [each.name for each in found]


SPEC = "specs/web.yaml"
LINES = ((SPEC, 1), (SPEC, 2))


def test_the_author_is_that_of_the_last_change_to_the_lines(remote: Remote) -> None:
    commit_as(remote, SPEC, "sku: a\nversion: 1\nwave: 0\n", by="Ada")
    commit_as(remote, SPEC, "sku: a\nversion: 2\nwave: 0\n", by="Bob")
    commit_as(remote, SPEC, "sku: a\nversion: 2\nwave: 1\n", by="Cleo")
    sha = commit_as(remote, "specs/api.yaml", "a: 1\n", by="Dan")
    source = remote.repository()
    assert source.commit().sha == sha
    assert source.authors(sha, LINES) == (Author("Bob", "bob@example.com"),)
    assert names(source.authors(sha, [(SPEC, 1)])) == ["Ada"]
    assert names(source.authors(sha, [(SPEC, 3)])) == ["Cleo"]
    assert names(source.authors(sha, [*LINES, ("specs/api.yaml", 1)])) == ["Dan"]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param(["--no-ff", "--no-edit"], ["Ada"], id="a change with a merge commit"),
        pytest.param(["--squash"], ["Ada"], id="a squashed change"),
    ],
)
def test_the_author_of_a_merge_is_not_an_author(remote: Remote, how: list[str], expected: list[str]) -> None:
    base = commit_as(remote, SPEC, "version: 1\n", by="Cleo")
    commit_as(remote, SPEC, "version: 2\n", by="Ada", on="bump")
    remote.git("checkout", "--quiet", "-B", "main", base)
    commit_as(remote, "other.txt", "x", by="Cleo")
    remote.git("-c", "user.name=Bob", "-c", "user.email=bob@example.com", "merge", "--quiet", *how, "bump")
    if "--squash" in how:
        remote.git("commit", "--quiet", "-m", "squashed", "--author", "Ada <ada@example.com>")
    remote.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    source = remote.repository()
    assert names(source.authors(source.commit().sha, [(SPEC, 1)])) == expected


def test_parallel_changes_have_several_authors(remote: Remote) -> None:
    text = "sku: a\n\n\n\n\n\nversion: 1\n"
    base = commit_as(remote, SPEC, text, by="Cleo")
    commit_as(remote, SPEC, text.replace("a", "b"), by="Ada", on="sku")
    remote.git("checkout", "--quiet", "-B", "main", base)
    commit_as(remote, SPEC, text.replace("1", "2"), by="Bob")
    remote.git("merge", "--quiet", "--no-edit", "sku")
    remote.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    source = remote.repository()
    assert names(source.authors(source.commit().sha, [(SPEC, 1), (SPEC, 7)])) == ["Ada", "Bob"]


def test_the_author_as_of_an_earlier_commit(remote: Remote) -> None:
    source = remote.repository()
    first = commit_as(remote, SPEC, "version: 1\n", by="Ada")
    source.commit()
    second = commit_as(remote, SPEC, "version: 2\n", by="Bob")
    source.commit()
    assert names(source.authors(first, [(SPEC, 1)])) == ["Ada"]
    assert names(source.authors(second, [(SPEC, 1)])) == ["Bob"]


def test_the_fetched_history_is_kept_and_extended(remote: Remote) -> None:
    commit_as(remote, SPEC, "version: 1\n", by="Ada")
    source, shallow = remote.repository(), remote.clone / "repository.git" / "shallow"
    sha = source.commit().sha
    assert shallow.exists(), "without a query for authors only one commit is fetched"
    source.authors(sha, [(SPEC, 1)])
    assert not shallow.exists()
    commit_as(remote, "specs/api.yaml", "a: 1\n", by="Bob")
    sha = source.commit().sha
    assert not shallow.exists()
    shutil.rmtree(remote.bare)
    assert names(source.authors(sha, [(SPEC, 1)])) == ["Ada"], "the whole history has been fetched"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([("specs/nothing.yaml", 1)], id="a missing file"),
        pytest.param([(SPEC, 99)], id="a missing line"),
        pytest.param([], id="no lines"),
        pytest.param([("--version", 1)], id="a path that looks like an option"),
    ],
)
def test_missing_lines_have_no_author(remote: Remote, lines: list[tuple[str, int]]) -> None:
    source = remote.repository()
    assert source.authors(source.commit().sha, lines) == ()


def test_without_the_history_nobody_is_named(remote: Remote) -> None:
    commit_as(remote, SPEC, "version: 1\n", by="Ada")
    source = remote.repository()
    sha = source.commit().sha
    shutil.rmtree(remote.bare)
    assert source.authors(sha, [(SPEC, 1)]) == ()
    assert source.last() is not None, "the fetched commit is kept"


def test_a_list_of_ignored_revisions_has_no_effect(remote: Remote) -> None:
    """The author of a change could put its own commit into this list, which is meant for reformatting."""
    sha = commit_as(remote, SPEC, "version: 2\n", by="Ada")
    (Path(os.environ["HOME"]) / "ignored").write_text(f"{sha}\n")
    remote.git("config", "--global", "blame.ignoreRevsFile", str(Path(os.environ["HOME"]) / "ignored"))
    source = remote.repository()
    assert names(source.authors(source.commit().sha, [(SPEC, 1)])) == ["Ada"]


def test_a_terminal_escape_in_an_author_name_is_escaped(remote: Remote) -> None:
    commit_as(remote, SPEC, "version: 2\n", by="A\x1b[2Jda")
    source = remote.repository()
    assert names(source.authors(source.commit().sha, [(SPEC, 1)])) == ["A\\x1b[2Jda"]


# Past files


def past_texts(source: Repository, sha: str, text: str, *paths: str) -> list[dict[str, str]] | None:
    found = source.past_files(sha, text, paths or (SPEC,))
    return (
        None if found is None else [{each.path: each.content.decode() for each in files} for files in found]
    )


def test_past_files_are_those_around_changes_of_a_text_latest_first(remote: Remote) -> None:
    commit_as(remote, SPEC, "version: 1.0.0\n", by="Ada")
    commit_as(remote, SPEC, "version: 1.0.0\nwave: 1\n", by="Ada")
    commit_as(remote, SPEC, "version: 2.0.0\n", by="Bob")
    sha = commit_as(remote, "specs/api.yaml", "version: 1.0.0\n", by="Cleo")
    source = remote.repository()
    source.commit()
    assert past_texts(source, sha, "1.0.0") == [
        {SPEC: "version: 1.0.0\nwave: 1\n"},
        {SPEC: "version: 2.0.0\n"},
        {SPEC: "a: 1\n"},
        {SPEC: "version: 1.0.0\n"},
    ]


def test_what_stood_only_in_commits_that_were_merged_is_not_what_the_branch_had(remote: Remote) -> None:
    base = commit_as(remote, SPEC, "version: 1\n", by="Cleo")
    commit_as(remote, SPEC, "version: evil\n", by="Ada", on="bump")
    commit_as(remote, SPEC, "version: 2\n", by="Ada", on="bump")
    remote.git("checkout", "--quiet", "-B", "main", base)
    remote.git("merge", "--quiet", "--no-ff", "--no-edit", "bump")
    remote.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    source = remote.repository()
    sha = source.commit().sha
    assert past_texts(source, sha, "evil") == []
    assert past_texts(source, sha, "version: 2") == [{SPEC: "version: 1\n"}, {SPEC: "version: 2\n"}]


def test_only_the_last_few_changes_are_examined(remote: Remote) -> None:
    for number in range(12):
        sha = commit_as(remote, SPEC, f"version: {number % 2}\n", by="Ada")
    source = remote.repository()
    source.commit()
    found = past_texts(source, sha, "version: 1")
    assert found is not None
    assert len(found) == 10


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param("nothing like it", [SPEC], id="a text that never existed"),
        pytest.param("", [SPEC], id="an empty text"),
        pytest.param("a: 1", ["specs/nothing.yaml"], id="a file that never existed"),
        pytest.param("a: 1", ["--version"], id="a path that looks like an option"),
        pytest.param("a: 1", [":(glob)**"], id="a path that looks like a pattern"),
        pytest.param("--version", [SPEC], id="a text that looks like an option"),
    ],
)
def test_a_text_that_never_existed_has_no_past_files(remote: Remote, text: str, paths: list[str]) -> None:
    source = remote.repository()
    assert past_texts(source, source.commit().sha, text, *paths) == []


def test_without_the_history_past_files_are_unknown(remote: Remote) -> None:
    commit_as(remote, SPEC, "version: 1\n", by="Ada")
    source = remote.repository()
    sha = source.commit().sha
    shutil.rmtree(remote.bare)
    assert past_texts(source, sha, "version") is None
