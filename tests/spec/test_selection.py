"""Which files below a path are specs: the same table for a directory and for a commit of git."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.git.repository import Repository
from reconciler.git.revision import branch
from reconciler.spec.directory import read_paths
from reconciler.spec.ignore import Ignore

SPEC = "apiVersion: vmss-reconciler/v1alpha1\n"
Content = str | Path
"""The text of a file, or as a Path what a symbolic link leads to."""
Read = Callable[[Path], "Found"]


@dataclass(frozen=True, slots=True)
class Found:
    files: list[str]
    problems: list[str]
    warnings: list[str]
    ignored: int


def read_directory(top: Path) -> Found:
    os.chdir(top)
    found = read_paths([Path("specs")])
    return Found(
        [each.path for each in found.files],
        [str(each) for each in found.problems],
        [str(each) for each in found.warnings],
        found.ignored,
    )


def read_commit(top: Path) -> Found:
    def git(*arguments: str) -> None:
        person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgSign=false")
        subprocess.run(["git", *person, *arguments], cwd=top, check=True, capture_output=True)

    git("init", "--quiet", "-b", "main")
    git("add", "--all", "--force")
    git("commit", "--quiet", "-m", "first")
    commit = Repository(f"file://{top}", branch("main"), "specs", top.parent / "clone").commit()
    return Found(
        [each.path for each in commit.files],
        [str(each) for each in commit.problems],
        [str(each) for each in commit.warnings],
        commit.ignored,
    )


OUTSIDE = "and is not followed: move the {} below specs"


@pytest.mark.parametrize(
    "read", [pytest.param(read_directory, id="directory"), pytest.param(read_commit, id="commit")]
)
@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(
            {"b.yaml": SPEC, "a.yml": SPEC, "x/c.yaml": SPEC, "x/y/d.yaml": SPEC, "README.md": "", "e.yaml~": SPEC, "f.yaml.bak": SPEC},
            Found(["specs/a.yml", "specs/b.yaml", "specs/x/c.yaml", "specs/x/y/d.yaml"], [], [], 0),
            id="files that end in yaml or yml, in all directories",
        ),
        pytest.param(
            {"a.yaml": SPEC, ".b.yaml": SPEC, ".github/ci.yml": "on: push"},
            Found(["specs/a.yaml"], [], [], 0),
            id="names that begin with a dot are skipped",
        ),
        pytest.param(
            {"a.yaml": SPEC, "api.YAML": SPEC, "b.Yml": SPEC},
            Found(
                ["specs/a.yaml"],
                [],
                [
                    "specs/api.YAML is not read, because its name ends in .YAML: rename it to .yaml",
                    "specs/b.Yml is not read, because its name ends in .Yml: rename it to .yml",
                ],
                0,
            ),
            id="an ending in capitals is a warning",
        ),
        pytest.param(
            {"a.yaml": SPEC, "web.json": '{"apiVersion": "vmss-reconciler/v1alpha1"}', "renovate.json": "{}"},
            Found(["specs/a.yaml"], [], ["specs/web.json is a spec in JSON and is not read: rename it to end in .yaml"], 0),
            id="a spec in JSON is a warning and other JSON is not",
        ),
        pytest.param(
            {"a.yaml": SPEC, "charts/x.yaml": "{{ x }}", "t/x.tmpl.yaml": "{{ x }}", "kustomization.yaml": "", ".reconcilerignore": "# not ours\n/charts/\n*.tmpl.yaml\nkustomization.y*ml\n"},
            Found(["specs/a.yaml"], [], [], 3),
            id="what the ignore file covers is passed over and counted",
        ),
        pytest.param(
            {"a.yaml": SPEC, "x.yaml/b.yaml": SPEC, "api.YAML": SPEC, "l.yaml": Path("/etc/passwd"), ".reconcilerignore": "x.yaml/\napi.YAML\nl.yaml"},
            Found(["specs/a.yaml"], [], [], 3),
            id="what the ignore file covers is neither a problem nor a warning",
        ),
        pytest.param(
            {"a.yaml": SPEC, "x/.reconcilerignore": "b.yaml", "x/b.yaml": SPEC},
            Found(["specs/a.yaml", "specs/x/b.yaml"], [], [], 0),
            id="an ignore file below the path has no effect",
        ),
        pytest.param(
            {"a.yaml": Path("b/real.yaml"), "b/real.yaml": SPEC},
            Found(["specs/b/real.yaml"], [], [], 0),
            id="a link to a file of the path is that file",
        ),
        pytest.param(
            {"a.yaml": Path("../specs/b.txt"), "b.txt": SPEC},
            Found(["specs/a.yaml"], [], [], 0),
            id="a link to a file of the path with another ending is read",
        ),
        pytest.param(
            {"web.yaml": Path("..data/web.yaml"), "..data": Path("..2026_01"), "..2026_01/web.yaml": SPEC},
            Found(["specs/web.yaml"], [], [], 0),
            id="links to hidden files are followed as in a mounted ConfigMap",
        ),
        pytest.param(
            {"team": Path(".teams/a"), ".teams/a/web.yaml": SPEC, ".teams/a/up": Path("../../team")},
            Found(["specs/team/web.yaml"], [], [], 0),
            id="a link to a hidden directory is searched once",
        ),
        pytest.param(
            {"a.yaml": SPEC, "x/up": Path("..")},
            Found(["specs/a.yaml"], [], [], 0),
            id="a link to a directory above it adds nothing",
        ),
        pytest.param(
            {"a.yaml": SPEC, "base.yaml": Path("../base/base.yaml"), "../base/base.yaml": SPEC},
            Found(["specs/a.yaml"], [f"specs/base.yaml is a symbolic link to ../base/base.yaml, outside specs, {OUTSIDE.format('file')}"], [], 0),
            id="a link to a file outside the path is refused",
        ),
        pytest.param(
            {"a.yaml": SPEC, "evil.yaml": Path("/etc/passwd")},
            Found(["specs/a.yaml"], [f"specs/evil.yaml is a symbolic link to /etc/passwd, outside specs, {OUTSIDE.format('file')}"], [], 0),
            id="a link to a file of the machine is refused",
        ),
        pytest.param(
            {"a.yaml": SPEC, "team.d": Path("../base"), "../base/base.yaml": SPEC},
            Found(["specs/a.yaml"], [f"specs/team.d is a symbolic link to ../base, outside specs, {OUTSIDE.format('directory')}"], [], 0),
            id="a link to a directory outside the path is refused",
        ),
        pytest.param(
            {"a.yaml": SPEC, "README": Path("README"), "y.md": Path("x.md"), "n.md": Path("../NOTES.md"), "../NOTES.md": ""},
            Found(["specs/a.yaml"], [], [], 0),
            id="links that have nothing to do with specs are no error",
        ),
        pytest.param(
            {"a.yaml": SPEC, "lost.yaml": Path("nowhere"), "round.yaml": Path("round.yaml")},
            Found(
                ["specs/a.yaml"],
                [
                    "specs/lost.yaml is a broken symbolic link to nowhere: fix or remove the link",
                    "specs/round.yaml is part of a loop of symbolic links: remove it or point it to a file",
                ],
                [],
                0,
            ),
            id="a link with the name of a spec must lead to a file",
        ),
        pytest.param(
            {"a.yaml": SPEC, "x.yaml/b.yaml": SPEC},
            Found(["specs/a.yaml"], ["specs/x.yaml is a directory, but its name ends in .yaml or .yml: rename the directory"], [], 0),
            id="a directory with the name of a spec is an error",
        ),
        pytest.param(
            {"a.yaml": SPEC, ".reconcilerignore/a.yaml": ""},
            Found(["specs/a.yaml"], ["specs/.reconcilerignore is a directory, not a file: remove it or name a file"], [], 0),
            id="an ignore file that is a directory is an error",
        ),
        pytest.param(
            {"a.yaml": SPEC, ".reconcilerignore": Path("x"), "x/README": ""},
            Found(["specs/a.yaml"], ["specs/.reconcilerignore is a directory, not a file: remove it or name a file"], [], 0),
            id="an ignore file that is a link to a directory is an error",
        ),
        pytest.param(
            {"a.yaml": SPEC, ".reconcilerignore": Path("nowhere")},
            Found(["specs/a.yaml"], [], [], 0),
            id="an ignore file that is a link to nowhere covers nothing",
        ),
        pytest.param(
            {"a.yaml": SPEC, ".reconcilerignore": "a.yaml\n" * 501},
            Found(
                ["specs/a.yaml"],
                ["specs/.reconcilerignore has more than 500 patterns: write fewer, such as one for a directory"],
                [],
                0,
            ),
            id="an ignore file with too many patterns is an error",
        ),
        pytest.param(
            {"a.yaml": SPEC, f"{'d/' * 101}b.yaml": SPEC},
            Found(["specs/a.yaml"], [f"specs/{'d/' * 100}d is below more than 100 directories: move it up"], [], 0),
            id="a spec below too many directories is an error",
        ),
        pytest.param(
            {"a.yaml": SPEC, "long.yaml": Path("x" * 200)},
            Found(
                ["specs/a.yaml"],
                [f"specs/long.yaml is a broken symbolic link to {'x' * 50}…{'x' * 30}: fix or remove the link"],
                [],
                0,
            ),
            id="a long link is shortened in a message",
        ),
        pytest.param(
            {"a.yaml": SPEC, "b.yaml": Path("nowhere/../a.yaml")},
            Found(
                ["specs/a.yaml"],
                ["specs/b.yaml is a broken symbolic link to nowhere/../a.yaml: fix or remove the link"],
                [],
                0,
            ),
            id="a link through a directory that does not exist leads nowhere",
        ),
    ],
)  # fmt: skip
def test_which_files_are_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entries: Mapping[str, Content],
    expected: Found,
    read: Read,
) -> None:
    monkeypatch.chdir(tmp_path)
    top = tmp_path / "top"
    for name, content in entries.items():
        path = Path(os.path.normpath(top / "specs" / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_text(content)
    assert read(top) == expected


@pytest.mark.parametrize(
    ("pattern", "covered", "read"),
    [
        pytest.param("a.yaml", ["a.yaml", "x/a.yaml"], ["b.yaml", "aa.yaml"], id="a name at any depth"),
        pytest.param("/a.yaml", ["a.yaml"], ["x/a.yaml"], id="a name at the top"),
        pytest.param("x/a.yaml", ["x/a.yaml"], ["y/x/a.yaml"], id="a path from the top"),
        pytest.param("*.t.yaml", ["a.t.yaml", "x/.t.yaml"], ["a.yaml", "a.t.yaml/b"], id="a star within a name"),
        pytest.param("x/**/a.yaml", ["x/a.yaml", "x/y/z/a.yaml"], ["a.yaml"], id="two stars in the middle"),
        pytest.param("**/a.yaml", ["a.yaml", "x/y/a.yaml"], ["b.yaml"], id="two stars at the beginning"),
        pytest.param("x/**", ["x/a.yaml", "x/y/a.yaml"], ["x", "a.yaml"], id="two stars at the end"),
        pytest.param("**", ["a.yaml", "dir:x"], [], id="two stars alone"),
        pytest.param("***/a.yaml", ["a.yaml", "x/y/a.yaml"], ["b.yaml"], id="three stars are two"),
        pytest.param("a**b", ["ab", "axb", "x/axb"], ["a/b"], id="two stars within a name are one"),
        pytest.param("x/**/y/**/z*.yaml", ["x/y/z.yaml", "x/a/y/b/c/zz.yaml"], ["x/y/a.yaml", "y/x/z.yaml"], id="two stars twice"),
        pytest.param("*a*b*.yaml", ["ab.yaml", "xaxbbx.yaml"], ["ba.yaml"], id="several stars within a name"),
        pytest.param("[+--].yaml", ["+.yaml", ",.yaml", "-.yaml"], ["a.yaml"], id="a range that ends in a hyphen"),
        pytest.param("?.yaml", ["a.yaml"], ["ab.yaml", ".yaml"], id="a question mark"),
        pytest.param("[a-c].yaml", ["b.yaml"], ["d.yaml"], id="a set of characters"),
        pytest.param("[!a-c].yaml", ["d.yaml"], ["b.yaml"], id="a negated set of characters"),
        pytest.param("[z-a].yaml", [], ["a.yaml"], id="a range that ends before it begins"),
        pytest.param("x/", ["dir:x", "dir:y/x"], ["x"], id="a slash at the end fits directories only"),
        pytest.param("*.yaml\n!a.yaml", ["b.yaml"], ["a.yaml"], id="a pattern that reads a file again"),
        pytest.param("!a.yaml\na.yaml", ["a.yaml"], [], id="the last pattern decides"),
        pytest.param("# a.yaml\n\n  \na.yaml  ", ["a.yaml"], [], id="comments and spaces"),
        pytest.param("/\n!\n", [], ["a.yaml"], id="patterns without a name"),
        pytest.param(r"\#a.yaml", ["#a.yaml"], ["a.yaml"], id="an escaped character"),
        pytest.param("a+(b).yaml", ["a+(b).yaml"], ["aab.yaml"], id="characters of regular expressions"),
    ],
)  # fmt: skip
def test_what_a_pattern_covers(pattern: str, covered: list[str], read: list[str]) -> None:
    rules = Ignore.of(pattern)

    def is_covered(path: str) -> bool:
        return rules.covers(path.removeprefix("dir:"), is_directory=path.startswith("dir:"))

    assert [each for each in (*covered, *read) if is_covered(each)] == covered


def test_an_ignore_file_that_is_not_text_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yaml").write_text(SPEC)
    (tmp_path / "specs" / ".reconcilerignore").write_bytes(b"\xff")
    assert [str(each) for each in read_paths([Path("specs")]).problems] == [
        "specs/.reconcilerignore is not UTF-8: save the file as UTF-8"
    ]
