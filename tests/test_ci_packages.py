"""What `.ci/run` installs before it runs the tests, and where a test may be skipped."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.git.sshd import may_be_skipped

CI = Path(__file__).parent.parent / ".ci"
PACKAGES = [line for line in (CI / "packages").read_text().splitlines() if not line.startswith("#")]
TESTS = ["make test", "make slow", "make test-chart"]
# Programs that stand for those of a machine. Each notes how it was called.
STUBS = {
    "make": 'echo "make $*" >> "$NOTES"',
    "apt-get": 'echo "apt-get $*" >> "$NOTES"',
    "id": 'echo "$USER_ID"',
    "dpkg-query": """for package; do :; done
case " $INSTALLED " in *" $package "*) printf installed ;; *) exit 1 ;; esac""",
}


def run(tmp_path: Path, *, installed: list[str], user: str = "0", without: str = "") -> list[str]:
    """The calls that `.ci/run` makes on a machine with these packages."""
    shutil.copytree(CI, tmp_path / ".ci")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "sed", "dirname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    for name, script in STUBS.items():
        if name != without:
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
    notes = tmp_path / "notes"
    environment = {
        "PATH": str(programs),
        "NOTES": str(notes),
        "USER_ID": user,
        "INSTALLED": " ".join(installed),
    }
    subprocess.run([tmp_path / ".ci" / "run"], env=environment, cwd=os.sep, check=True)
    return notes.read_text().splitlines()


def test_a_machine_that_has_all_packages_gets_none(tmp_path: Path) -> None:
    assert run(tmp_path, installed=PACKAGES) == TESTS


def test_what_is_missing_is_installed_before_the_tests(tmp_path: Path) -> None:
    assert "openssh-server" in PACKAGES
    found = run(tmp_path, installed=[each for each in PACKAGES if each != "openssh-server"])
    assert found == [
        "apt-get update -qq",
        "apt-get install -qq --no-install-recommends openssh-server",
        *TESTS,
    ]


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param({"user": "1000"}, id="a user who is not root"),
        pytest.param({"without": "apt-get"}, id="a machine without apt-get"),
        pytest.param({"without": "dpkg-query", "user": "1000"}, id="a machine without dpkg"),
    ],
)
def test_nothing_is_installed_where_that_is_impossible(tmp_path: Path, machine: Mapping[str, str]) -> None:
    assert run(tmp_path, installed=[], **machine) == TESTS


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, True, id="on the machine of a developer"),
        pytest.param({"CI": "true"}, False, id="in continuous integration"),
    ],
)
def test_where_the_tests_of_ssh_may_be_skipped(environment: Mapping[str, str], expected: bool) -> None:
    assert may_be_skipped(environment) == expected
