"""docs/clients.md is correct: everything in it that can run here runs, in order, in one directory."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.simulator import Simulator, WallClock, read_fleet
from tests.cli.program import ROOT, Azure
from tests.clients.clients import CLIENTS, CommandResult, environment, program

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.M | re.S)


def section(title: str) -> list[tuple[str, str]]:
    """Return language and text of the blocks below a heading."""
    text = (ROOT / "docs" / "clients.md").read_text()
    below = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [(match[1], match[2]) for match in BLOCK.finditer(below)]


@pytest.fixture
def demo() -> Iterator[Azure]:
    """What the first block of the page starts."""
    simulator = Simulator.load(read_fleet(ROOT / "demo" / "fleet.yaml"), WallClock())
    with simulator.serve() as server:
        yield Azure(simulator, server)


def run(language: str, text: str, world: Azure, directory: Path) -> CommandResult:
    path = directory / "block"
    path.write_text(text if language == "python" else f"set -eu; cd {directory}\n{text}")
    interpreter = CLIENTS / "python" if language == "python" else Path("/bin/sh")
    env = environment(world.server)
    return program(interpreter, str(path), env={**env, "PATH": f"{CLIENTS}{os.pathsep}{env['PATH']}"})


def test_az(demo: Azure, tmp_path: Path) -> None:
    blocks = section("az")
    assert {language for language, _ in blocks} == {"sh"}
    said = run("sh", "\n".join(text for _, text in blocks), demo, tmp_path)
    assert said.code == 0, said.err
    assert "legacy" in said.out
    images = demo.simulator.record.images("web")
    assert sum(image.endswith("24.04.202601140") for image in images.values()) == 4
    assert demo.simulator.record.max_unavailable_domains("web") == 1


@pytest.mark.parametrize("title", ["The SDK for Python", "azurerm"])
def test_libraries(title: str, demo: Azure, tmp_path: Path) -> None:
    blocks = section(title)
    assert len(blocks) == 2
    for language, text in blocks:
        said = run(language, text, demo, tmp_path)
        assert said.code == 0, said.err
        assert "legacy 3" in said.out.splitlines()
