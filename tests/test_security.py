"""SECURITY.md: every row names tests that exist, and what it says of packages is true."""

import re
from pathlib import Path

import pytest

from tests.test_failures import exists

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| attempt"))
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in ROWS])
def test_a_row_names_existing_tests(row: list[str]) -> None:
    _, _, tested = row
    tests = re.findall(r"`([^`]+)`", tested)
    assert tests
    assert tested == ", ".join(f"`{test}`" for test in tests)
    assert [test for test in tests if not exists(test)] == []


def test_every_package_of_the_image_is_pinned_with_its_hash() -> None:
    packages = re.findall(
        r"^[^\s#].*(?:\n    .*)*", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE
    )
    assert len(packages) > 20
    assert [each for each in packages if "==" not in each or "--hash=sha256:" not in each] == []
    containerfile = (ROOT / "deploy" / "Containerfile").read_text()
    installed = re.findall(r"pip install (.*)", containerfile)
    assert "--require-hashes --no-deps -r requirements.lock" in installed[0]
    assert all("--no-deps" in each for each in installed)
