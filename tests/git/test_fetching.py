"""What is asked of a server and fetched from it, over HTTP, and which commit is used when it cannot be."""

import os
import random
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.git import revision
from reconciler.git.repository import Commit, Repository, SourceUnreachable
from reconciler.git.revision import Revision
from tests.git.forge import Forge
from tests.git.remote import Remote


def of(forge: Forge, clone: Path, followed: Revision | None = None) -> Repository:
    return Repository(forge.url(), followed or revision.branch("main"), "specs", clone)


def reason(repository: Repository) -> str:
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    return str(raised.value)


def names(commit: Commit) -> list[str]:
    return [each.path for each in commit.files]


# Branches, tags and commits


def test_a_branch_a_tag_and_a_commit_are_followed(web: Forge, remote: Remote, tmp_path: Path) -> None:
    first = remote.git("rev-parse", "HEAD")
    remote.git("tag", "light")
    remote.git("tag", "-a", "-m", "annotated", "heavy")
    remote.git("push", "--quiet", "--tags", "origin")
    remote.write("specs/api.yaml")
    second = remote.push()
    for followed, expected in (
        (revision.branch("refs/heads/main"), second),
        (revision.tag("light"), first),
        (revision.tag("refs/tags/heavy"), first),
        (revision.commit(first), first),
    ):
        repository = of(web, tmp_path / str(followed).replace("/", " "), followed)
        for _ in range(2):
            assert repository.commit().sha == expected


def test_a_tag_that_moves_is_followed(web: Forge, remote: Remote, tmp_path: Path) -> None:
    remote.git("tag", "-a", "-m", "first", "live")
    remote.git("push", "--quiet", "--tags", "origin")
    repository = of(web, tmp_path / "c", revision.tag("live"))
    before = repository.commit()
    after = remote.push()
    remote.git("tag", "--force", "-a", "-m", "second", "live")
    remote.git("push", "--quiet", "--force", "--tags", "origin")
    assert (repository.commit().sha, before.sha != after) == (after, True)


def test_a_commit_that_was_fetched_needs_no_server(web: Forge, remote: Remote, tmp_path: Path) -> None:
    followed = revision.commit(remote.git("rev-parse", "HEAD"))
    commit = of(web, tmp_path / "c", followed).commit()
    web.answer = 503, {}, b""
    assert of(web, tmp_path / "c", followed).commit() == commit


def test_a_revision_of_another_kind_is_named(web: Forge, remote: Remote, tmp_path: Path) -> None:
    assert reason(of(web, tmp_path / "c", revision.tag("v1"))) == (
        f"{web.url()} has no tag v1; it has no tags"
    )
    remote.git("tag", "v1")
    remote.git("push", "--quiet", "--tags", "origin")
    assert reason(of(web, tmp_path / "c", revision.branch("v1"))) == (
        f"{web.url()} has no branch v1: it is a tag, so use --tag"
    )
    assert reason(of(web, tmp_path / "c", revision.tag("main"))) == (
        f"{web.url()} has no tag main: it is a branch, so use --branch"
    )
    sha = "1" * 40
    assert reason(of(web, tmp_path / "c", revision.branch(sha))) == (
        f"{web.url()} has no branch {sha}: if it is a commit, use --commit"
    )
    assert reason(of(web, tmp_path / "c", revision.tag("v2"))) == (
        f"{web.url()} has no tag v2; existing tags: v1"
    )


# What is transferred


def test_an_unchanged_branch_costs_one_listing_of_one_ref(web: Forge, tmp_path: Path) -> None:
    repository = of(web, tmp_path / "c")
    commit = repository.commit()
    web.requests.clear()
    sent = web.sent
    assert repository.commit() is commit
    assert [method for method, _, _ in web.requests] == ["GET", "POST"]
    assert web.sent - sent < 1000


def large(remote: Remote, megabytes: int) -> None:
    noise = random.Random(1)  # noqa: S311 - bytes that git cannot compress
    for number in range(megabytes):
        remote.write(f"app/{number}", noise.randbytes(1_000_000))


def test_of_a_large_repository_only_the_specs_are_fetched(web: Forge, remote: Remote, tmp_path: Path) -> None:
    large(remote, 8)
    remote.write("specs/api.yaml", "b: 2\n")
    remote.push()
    repository = of(web, tmp_path / "c")
    assert names(repository.commit()) == ["specs/api.yaml", "specs/web.yaml"]
    assert web.sent < 20_000
    sent = web.sent
    remote.write("specs/api.yaml", "b: 3\n")
    remote.write("app/0", os.urandom(1_000_000))
    remote.push()
    assert repository.commit().files[0].content == b"b: 3\n"
    assert web.sent - sent < 10_000


def test_a_server_without_filters_sends_everything_and_works(
    web: Forge, remote: Remote, tmp_path: Path
) -> None:
    remote.git(f"--git-dir={remote.bare}", "config", "uploadpack.allowFilter", "false")
    large(remote, 1)
    remote.push()
    repository = of(web, tmp_path / "c")
    assert names(repository.commit()) == ["specs/web.yaml"]
    assert web.sent > 1_000_000
    remote.write("specs/api.yaml")
    remote.push()
    assert len(repository.commit().files) == 2
    assert repository.authors(repository.commit().sha, [("specs/api.yaml", 1)])


def test_a_server_that_sends_no_single_files_sends_everything(
    web: Forge, remote: Remote, tmp_path: Path, fresh_machine: Path
) -> None:
    """As a server of the first protocol version may be configured."""
    (fresh_machine / ".gitconfig").write_text("[protocol]\n\tversion = 0\n")
    remote.git(f"--git-dir={remote.bare}", "config", "uploadpack.allowAnySHA1InWant", "false")
    for _ in range(2):
        repository = of(web, tmp_path / "c")
        assert names(repository.commit()) == ["specs/web.yaml"]
        remote.write("specs/web.yaml", "a: 2\n")
        remote.push()
        assert repository.commit().files[0].content == b"a: 2\n"
        remote.write("specs/web.yaml", "a: 3\n")
        remote.push()


def test_what_was_fetched_before_a_cut_is_kept(web: Forge, remote: Remote, tmp_path: Path) -> None:
    noise = random.Random(2)  # noqa: S311 - bytes that git cannot compress
    for number in range(40):
        remote.write(f"specs/{number}.yaml", f"# {noise.randbytes(2000).hex()}\n")
    remote.push()
    web.cut, web.cut_after = 100, 5  # ls-remote: 2; commits and directories: 3; then the files
    assert "the connection was interrupted" in reason(of(web, tmp_path / "c"))
    kept = web.sent
    web.cut = None
    assert len(of(web, tmp_path / "c").commit().files) == 41
    assert kept > 2000
    fetches = [path for method, path, _ in web.requests if method == "POST"]
    assert len(fetches) <= 7, "the commits and directories are not fetched again"


def test_the_author_of_a_line_is_found_without_the_other_files(
    web: Forge, remote: Remote, tmp_path: Path
) -> None:
    for number in range(10):
        remote.write("app/program", os.urandom(200_000))
        remote.write("specs/web.yaml", f"a: {number}\nb: 1\n")
        remote.push()
    repository = of(web, tmp_path / "c")
    sha = repository.commit().sha
    web.requests.clear()
    assert [each.name for each in repository.authors(sha, [("specs/web.yaml", 1)])] == ["Ada Löwe"]
    assert web.sent < 50_000
    assert len(web.requests) <= 6, "all versions of the file come at once"
    past = repository.past_files(sha, "a: 7", ["specs/web.yaml"])
    assert past is not None
    assert [each.content for files in past for each in files] == [
        b"a: 7\nb: 1\n", b"a: 8\nb: 1\n", b"a: 6\nb: 1\n", b"a: 7\nb: 1\n",
    ]  # fmt: skip


# The last valid commit


def test_the_last_valid_commit_outlives_the_process(web: Forge, remote: Remote, tmp_path: Path) -> None:
    repository = of(web, tmp_path / "c")
    good = repository.commit()
    repository.mark_valid(good.sha)
    remote.write("specs/web.yaml", "a: [")
    broken = remote.push()
    assert repository.commit().sha == broken
    web.answer = 503, {}, b""
    after = of(web, tmp_path / "c")
    assert after.last() == good
    assert replace(after, path="").last() != good, "a commit is valid for one path"


def test_the_credentials_of_a_url_do_not_change_which_source_it_is(web: Forge, tmp_path: Path) -> None:
    first = Repository(
        web.url().replace("://", "://ada:one@"), revision.branch("main"), "specs", tmp_path / "c"
    )
    second = Repository(
        web.url().replace("://", "://ada:two@"), revision.branch("main"), "specs", tmp_path / "c"
    )
    commit = first.commit()
    first.mark_valid(commit.sha)
    assert second.last() == commit


def test_the_newest_valid_commit_is_found_along_first_parents(
    web: Forge, remote: Remote, tmp_path: Path
) -> None:
    good = remote.git("rev-parse", "HEAD")
    for number in range(3):
        remote.write("specs/web.yaml", f"broken: {number}\n")
        remote.push()
    remote.git("checkout", "--quiet", "-b", "side")
    remote.write("specs/web.yaml", "a: on a side branch\n")
    remote.git("commit", "--quiet", "--all", "-m", "side")
    remote.git("checkout", "--quiet", "-B", "main", "HEAD~")
    remote.git("merge", "--quiet", "--no-ff", "--no-edit", "--strategy=ours", "side")
    remote.write("specs/web.yaml", "broken: 4\n")
    newest = remote.push()
    repository = of(web, tmp_path / "c")
    assert repository.commit().sha == newest
    found = repository.valid_before(newest, lambda commit: commit.files[0].content.startswith(b"a: "))
    assert found is not None
    assert found.sha == good
    assert repository.commit().sha == newest


def test_the_search_for_a_valid_commit_is_bounded(web: Forge, remote: Remote, tmp_path: Path) -> None:
    for number in range(25):
        remote.write("specs/web.yaml", f"broken: {number}\n")
        newest = remote.push()
    repository = of(web, tmp_path / "c")
    repository.commit()
    seen: list[str] = []

    def is_valid(commit: Commit) -> bool:
        seen.append(commit.sha)
        return False

    assert repository.valid_before(newest, is_valid) is None
    assert len(seen) == 20


def test_without_a_server_it_is_unknown_whether_an_earlier_commit_is_valid(
    web: Forge, remote: Remote, tmp_path: Path
) -> None:
    sha = remote.push()
    repository = replace(of(web, tmp_path / "c"), timeout=timedelta(seconds=10))
    repository.commit()
    web.answer = 503, {}, b""
    with pytest.raises(SourceUnreachable, match="503"):
        repository.valid_before(sha, lambda _: True)


def test_a_clone_that_is_lost_is_fetched_again_though_the_branch_is_unchanged(
    web: Forge, tmp_path: Path
) -> None:
    repository = of(web, tmp_path / "c")
    commit = repository.commit()
    (tmp_path / "c").rename(tmp_path / "lost")
    assert repository.commit() == commit
    assert of(web, tmp_path / "c").last() == commit


def test_a_collection_of_garbage_keeps_a_clone_without_all_files_readable(
    web: Forge, remote: Remote, tmp_path: Path, fresh_machine: Path
) -> None:
    (fresh_machine / ".gitconfig").write_text("[gc]\n\tautoPackLimit = 4\n")
    packs = tmp_path / "c" / "repository.git" / "objects" / "pack"
    large(remote, 1)
    seen = []
    for number in range(8):
        remote.write("specs/web.yaml", f"a: {number}\n")
        sha = remote.push()
        repository = of(web, tmp_path / "c")
        assert repository.commit().sha == sha
        if number == 0:
            repository.mark_valid(first := sha)
        seen.append(len([*packs.glob("*.pack")]))
    assert max(seen) < 8, "the packs of several fetches became one"
    assert web.sent < 100_000
    last = of(web, tmp_path / "c").last()
    assert last is not None
    assert (last.sha, last.files[0].content) == (first, b"a: 0\n")


# A clone after many commits


@pytest.mark.parametrize(
    "has_filter", [pytest.param("true", id="of specs alone"), pytest.param("false", id="of all files")]
)
def test_a_clone_does_not_grow_with_the_number_of_commits(remote: Remote, has_filter: str) -> None:
    remote.git(f"--git-dir={remote.bare}", "config", "uploadpack.allowFilter", has_filter)
    shas = remote.commits(60)
    remote.follow(shas[:50])
    assert len(remote.shallow()) == 50
    repository = remote.repository()
    for sha in shas[50:]:
        remote.point(sha)
        assert repository.commit().sha == sha
        assert len(remote.shallow()) < 20, "each fetch sends them to the server"
    kinds = remote.git(
        remote.in_clone, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"
    ).split()
    assert kinds.count("commit") < 20, "commits that no ref names are gone"
    last = remote.repository().last()
    assert last is not None
    assert (last.sha, last.files[0].content) == (shas[0], b"a: 0\n")
    assert repository.authors(shas[-1], [("specs/web.yaml", 1)])


def test_a_clone_that_git_packs_into_several_files_is_kept(remote: Remote, fresh_machine: Path) -> None:
    (fresh_machine / ".gitconfig").write_text("[pack]\n\tpackSizeLimit = 1m\n")
    for number in range(3):
        remote.write(f"specs/{number}.yaml", f"# {os.urandom(400_000).hex()}\n")
    shas = remote.commits(51)
    remote.follow(shas[:-1])
    remote.point(shas[-1])
    commit = remote.repository().commit()
    assert len(remote.shallow()) < 20
    assert len([*(remote.clone / "repository.git" / "objects" / "pack").glob("*.pack")]) > 1
    shutil.rmtree(remote.bare)
    first = remote.repository().last()
    assert first is not None
    assert (first.sha, len(first.files), len(commit.files)) == (shas[0], 4, 4)


def test_the_commits_between_two_of_the_branch(remote: Remote) -> None:
    shas = [remote.push(f"change {number}") for number in range(4)]
    source = remote.repository()
    source.commit()
    assert [each.sha for each in source.between(shas[0], shas[3])] == shas[1:3]
    assert source.between(shas[3], shas[3]) == source.between("0" * 40, shas[3]) == ()
