"""Killed at any moment of fetching and taking over, the next process reads the same commit."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.git.forge import Forge
from tests.git.remote import Remote
from tests.git.standin import Moment, StandIn

# Every fifth call in the suite; `make stories` kills at every call.
STRIDE = 1 if int(os.environ.get("EXPLORE_SEEDS", "1")) >= 4 else 5

READ = """
import json, sys
from pathlib import Path
from reconciler.git.repository import Repository
from reconciler.git.revision import branch

source = Repository(sys.argv[1], branch("main"), "specs", Path(sys.argv[2]))
last = source.last()
commit = source.commit()
source.mark_valid(commit.sha)
found = source.authors(commit.sha, [("specs/web.yaml", 1)])
files = [(each.path, each.content.decode()) for each in commit.files]
print(json.dumps([last and last.sha, commit.sha, source.last() == commit, files, [each.name for each in found]]))
"""


@pytest.mark.parametrize(
    "when", [pytest.param("during", id="while git runs"), pytest.param("after", id="after git has ended")]
)
def test_a_kill_at_any_call_of_git_changes_nothing_in_the_end(
    web: Forge, remote: Remote, tmp_path: Path, when: Moment
) -> None:
    remote.write("specs/web.yaml", "a: 2\n")
    first = remote.push()
    standin = StandIn.make(tmp_path / "bin")

    def read() -> list[object] | None:
        done = subprocess.run(
            [sys.executable, "-c", READ, web.url(), str(tmp_path / "c")],
            cwd=Path(__file__).parent.parent.parent,
            env={**os.environ, "PATH": standin.path},
            capture_output=True,
            text=True,
            check=False,
        )
        found: list[object] = json.loads(done.stdout) if done.returncode == 0 else []
        return found or None

    calls = (1 if when == "during" else 2) - STRIDE
    expected = [first, True, [["specs/web.yaml", "a: 2\n"]], ["Ada Löwe"]]
    while True:
        calls += STRIDE
        shutil.rmtree(tmp_path / "c", ignore_errors=True)
        standin.kill_at("", when, number=calls)
        killed = read() is None
        standin.spare()
        last, *rest = read() or [None]
        assert (last in (None, first), rest) == (True, expected)
        if not killed:
            break
    assert calls > 10


COMPACT = """
import os, signal, sys
from pathlib import Path
from reconciler.git.repository import Repository
from reconciler.git.revision import branch

left = int(sys.argv[3])

def count(event, arguments):
    global left
    if event in ("os.remove", "os.rename"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
Repository(sys.argv[1], branch("main"), "specs", Path(sys.argv[2])).commit()
"""


def test_a_kill_while_files_of_a_clone_are_removed_loses_no_commit(remote: Remote, tmp_path: Path) -> None:
    shas = remote.commits(51)
    remote.follow(shas[:-1])
    remote.point(shas[-1])
    copy = replace(remote, clone=tmp_path / "copy")
    kill_at, is_killed = 1 - STRIDE, True
    while is_killed:
        kill_at += STRIDE
        shutil.rmtree(copy.clone, ignore_errors=True)
        shutil.copytree(remote.clone, copy.clone)
        done = subprocess.run(
            [sys.executable, "-c", COMPACT, remote.url, str(copy.clone), str(kill_at)],
            cwd=Path(__file__).parent.parent.parent,
            capture_output=True,
            check=False,
        )
        is_killed = done.returncode == -signal.SIGKILL
        assert is_killed or done.returncode == 0, done.stderr
        last = copy.repository().last()
        assert last is not None
        assert (last.sha, last.files[0].content) == (shas[0], b"a: 0\n")
        assert copy.repository().commit().sha == shas[-1]
        assert len(copy.shallow()) < 10
    assert kill_at > 15
