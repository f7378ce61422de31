"""Completion: what is offered for a line, and that a shell runs the script."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from tests.cli.program import ROOT, bare


def offered(line: str, cwd: Path = ROOT, **variables: str) -> list[str]:
    """What is offered for a line that ends where the cursor is, without --help."""
    words = line.split(" ")
    env = {**bare(), "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), **variables}
    program = [sys.executable, "-c", "from reconciler.program import main; main()"]
    env |= {"_RECONCILER_COMPLETE": "bash_complete"}
    done = subprocess.run(program, env=env, cwd=cwd, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [each.partition(",")[2] for each in done.stdout.splitlines() if each]


SPECS = ["api", "batch", "cart", "legacy", "search", "web", "workers"]


@pytest.mark.parametrize(
    "line, expected",
    [
        pytest.param("reconciler st", ["status"], id="a command"),
        pytest.param("reconciler --v", ["--version"], id="an option of the program"),
        pytest.param("reconciler run --so", ["--source-max-age"], id="an option of a command"),
        pytest.param("reconciler check -o ", ["table", "json", "yaml"], id="the values of an option"),
        pytest.param("reconciler completion ", ["bash", "zsh", "fish"], id="the shells"),
        pytest.param("reconciler why ", SPECS, id="every name"),
        pytest.param("reconciler why w", ["web", "workers"], id="the names that begin with a letter"),
        pytest.param("reconciler approve w", ["web", "workers"], id="the name of an approval"),
        pytest.param("reconciler retry w", ["web", "workers"], id="the name of a retry"),
        pytest.param("reconciler snapshot web w", ["workers"], id="a second name"),
        pytest.param("reconciler why --specs nowhere ", [], id="a directory that does not exist"),
        pytest.param("reconciler why --git https://example.com/fleet.git ", [], id="specs in git"),
    ],
)
def test_a_line_is_completed(line: str, expected: list[str]) -> None:
    assert offered(line) == expected


def test_names_are_completed_from_specs_with_errors(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "web.yaml").write_text("kind: ScaleSet\nmetadata: {name: web}\nspec: [\n")
    (tmp_path / "specs" / "api.yaml").write_text("kind: ScaleSet\nmetadata: {name: api}\nspec: 1\n---\n2\n")
    assert offered("reconciler why ", tmp_path) == ["api"]


def test_bash_completes_a_name_by_the_script(tmp_path: Path) -> None:
    program = tmp_path / "reconciler"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from reconciler.program import main; main()' \"$@\"\n"
    )
    program.chmod(0o755)
    script = """
        source <(reconciler completion bash)
        COMP_WORDS=(reconciler why w) COMP_CWORD=2
        _reconciler_completion reconciler
        echo "${COMPREPLY[@]}"
    """
    env = bare()
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("web workers\n", "")


@pytest.mark.parametrize(
    "shell, line", [("zsh", "#compdef reconciler"), ("fish", "function _reconciler_completion;")]
)
def test_the_script_is_for_the_shell(shell: str, line: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(line)
