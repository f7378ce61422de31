"""What a page has its reader do, from an empty directory on, comes out as the page says.

The blocks of a page that are marked `sh` are typed in order. Those after `reconciler simulate FLEET -- sh` go to the
shell that this opens. A command for a program that cannot run here is left out, and each such command is listed.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.program import ROOT, bare

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
SHELL = re.compile(r"^(reconciler simulate \S+ -- sh)$", re.M)
PATIENCE = 400.0  # seconds; for a loaded machine, no page takes half of that when all is well
NOT_HERE = re.compile(r"^(?:az|kubectl|terraform) .*\n", re.M)


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and lines that what it has typed must print, in this order."""

    path: str
    expected: tuple[str, ...]


PAGES = [
    Page(
        "README.md",
        (
            r"shop/web: specs/web\.yaml declares Canonical:ubuntu-24_04-lts:server:24\.04\.202601010",
            r"web +Ready +\S+ +10/10 +●●●●● .*UpToDate: all 10 instances run 24\.04\.202601010",
            r"0 +web .*; 10 instances in 5 batches of 2, .*",
            r"web +Ready +\S+ +10/10 +●●●●● .*UpToDate: all 10 instances run 24\.04\.202602020",
            r"web: Ready",
        ),
    ),
    Page(
        "docs/how-to/rehearse.md",
        (
            r"shop/web: specs/web\.yaml declares .*:24\.04\.202601010",
            r".*web.*; 9 instances in .*",
            r"web +Reconciling +\S+ +[1-3]/9 +◐○○ .*WaitingForInstances: waiting for .* unhealthy\) in zone 1 .*",
            r"web +Ready +\S+ +9/9 +●●● .*UpToDate: all 9 instances run 24\.04\.202603030",
        ),
    ),
    Page(
        "docs/how-to/stop.md",
        (
            r"2 scale sets: .*Reconciling.*",
            r"2 scale sets: 2 Suspended; .*",
            r"api +Suspended +\S+ +\d/2 +[●◐○]{2} .*Frozen: ada@example\.com has frozen the fleet .*",
            r"api +Ready +\S+ +2/2 +●● .*UpToDate: .*24\.04\.202602020",
            r"web +Ready +\S+ +3/3 +●●● .*UpToDate: .*24\.04\.202602020",
        ),
    ),
    Page(
        "docs/how-to/incident.md",
        (
            r"daemon at http://127\.0\.0\.1:8097: paused",
            r"the fleet \(resource group shop\): paused by ada@example\.com",
            r"60 scale sets: 60 Suspended; .*",
            r"the fleet \(resource group shop\): resumed; it was paused by ada@example\.com at .*",
            r"60 scale sets: 60 Ready; 180 of 180 instances up to date",
        ),
    ),
    Page(
        "docs/how-to/roll-back.md",
        (
            r"web +Reconciling +\S+ +2/10 +◐○○○○ .*WaitingForInstances: .* unhealthy\) .*",
            r"web +Ready +\S+ +10/10 +●●●●● .*UpToDate: all 10 instances run 24\.04\.202601010; 8 instances lack a model change .*",
        ),
    ),
    Page(
        "docs/how-to/which-are-behind.md",
        (
            r"web +Reconciling .* ModelDrift: .*",
            r"web",
            r"1 scale set is as declared",
        ),
    ),
    Page(
        "docs/how-to/one-image.md",
        (
            r"nothing changes",
            r"web-0000 +Ready +\S+ +2/2 +●● .*UpToDate: both instances run 24\.04\.202602020",
            r"web-0001 +Ready +\S+ +2/2 +●● .*UpToDate: both instances run 24\.04\.202602020",
            r"web-0002 +Ready +\S+ +2/2 +●● .*UpToDate: both instances run 24\.04\.202602020",
        ),
    ),
    Page(
        "docs/how-to/monorepo.md",
        (
            r"2 scale sets in 3 files: no errors",
            r"scale-sets/teams/shop/mine\.yaml:\d+:\d+: spec\.target\.resourceGroup: .* is not allowed in .*",
            r"ledger +Ready +\S+ +2/2 +●● .*UpToDate: .*24\.04\.202601010; behind commit .*",
            r"web +Ready +\S+ +2/2 +●● .*UpToDate: both instances run 24\.04\.202602020",
            r"\d+K\t\.\./clone",
            r"ledger +Ready +\S+ +2/2 +●● .*UpToDate: both instances run 24\.04\.202602020",
        ),
    ),
]
# What no simulator can stand in for.
LEFT_OUT = {"kubectl --namespace reconciler scale deployment reconciler --replicas=0"}
NOT_WALKED = {
    f"docs/how-to/{name}.md"
    for name in (
        "alerts",
        "from-vmssupgrade-and-vmsseditor",
        "kubernetes",
        "private-git",
        "pull-request",
        "signed-commits",
        "terraform-and-bicep",
        "upgrade-the-daemon",
        "webhooks",
        "without-kubernetes",
        "workload-identity",
    )
}


def typed(path: str) -> str:
    """All that a page has typed."""
    return "".join(BLOCK.findall((ROOT / path).read_text()))


@pytest.fixture
def desk(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who works in an empty directory, where no daemon answers."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "reconciler").write_text(f'#!/bin/sh\nexec {sys.executable} -m reconciler.cli "$@"\n')
    (programs / "reconciler").chmod(0o755)
    return {
        **bare(),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'tests' / 'guard'}{os.pathsep}{ROOT}",
        "GUARD_LOG": str(tmp_path / "reached"),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "VMSS_RECONCILER_SERVER": "http://127.0.0.1:1",
    }


@pytest.mark.timeout(PATIENCE + 10)
@pytest.mark.parametrize("page", PAGES, ids=[page.path for page in PAGES])
def test_what_a_page_has_typed_comes_out_as_it_says(page: Page, desk: dict[str, str], tmp_path: Path) -> None:
    text = NOT_HERE.sub("", typed(page.path))
    if " jq " in text and not shutil.which("jq"):
        pytest.skip("there is no jq here")
    before, line, inside = SHELL.split(text)
    empty = tmp_path / "empty"
    empty.mkdir()
    # In the end the outer shell becomes the simulator, whose shell then reads what is left.
    done = subprocess.run(
        ("sh", "-c", f"set -eu\n{before}exec {line}"),
        input=inside,
        cwd=empty,
        env=desk,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    printed = iter(done.stdout.splitlines())
    missing = [each for each in page.expected if not any(re.fullmatch(each, line) for line in printed)]
    assert missing == [], f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert "not found" not in done.stderr
    assert not (tmp_path / "reached").exists(), "nothing beyond this machine was asked"


def test_what_is_left_out_is_known() -> None:
    found = {
        match[0].strip()
        for path in guides()
        for match in NOT_HERE.finditer(typed(path))
        if path != "README.md"
    }
    assert found == LEFT_OUT


def test_every_guide_is_walked_through() -> None:
    walked = {page.path for page in PAGES}
    assert {path for path in guides() if SHELL.search(typed(path))} == walked
    assert set(guides()) - walked == NOT_WALKED


def guides() -> list[str]:
    return [
        "README.md",
        *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs/how-to").glob("*.md"))),
    ]
