"""The manual pages are those of the commands, and the package has them."""

import os
import shutil
import subprocess
import tomllib

import pytest

from tests.cli.program import ROOT
from tests.git.sshd import may_be_skipped
from tests.man import PAGES, pages


def test_the_pages_are_those_of_the_commands() -> None:
    written = {each.name: each.read_text() for each in PAGES.iterdir()}
    assert written == pages(), "run `make man`"


def test_the_wheel_has_the_pages_where_man_finds_them() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["shared-data"] == {"man": "share/man/man1"}
    assert "/man" in targets["sdist"]["include"]


@pytest.mark.skipif(
    not shutil.which("groff") and may_be_skipped(os.environ),
    reason="groff is not installed: .ci/packages names its package",
)
@pytest.mark.parametrize("page", sorted(pages()))
def test_groff_formats_a_page_without_warnings(page: str) -> None:
    line = ["groff", "-man", "-Tutf8", "-ww", str(PAGES / page)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "[OPTIONS]" in done.stdout
