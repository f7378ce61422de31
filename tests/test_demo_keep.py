"""The demo that stays open: a second terminal gets what it needs from the file that is named."""

import subprocess
from pathlib import Path

import pytest

from demo.keep import COMMANDS, keep
from reconciler.cli import main
from tests.cli.program import bare, until


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_that_is_shown_is_one(line: str) -> None:
    assert line.split()[1] in main.commands


def test_a_second_terminal_sees_the_daemon(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with keep(tmp_path):
        shown = capfd.readouterr().out
        assert f". {tmp_path / 'environment'}" in shown
        assert all(line in shown for line in COMMANDS)

        def typed(line: str) -> str:
            script = f". {tmp_path / 'environment'} && {line}"
            done = subprocess.run(
                ["sh", "-c", script], env=bare(), capture_output=True, text=True, check=False
            )
            return done.stdout

        until(lambda: "batch" in typed("reconciler status -o name --status stalled"))
        assert "web: paused by " in typed("reconciler pause --all --reason 'a look'")
        until(lambda: "(a look)" in typed("reconciler why web"))
