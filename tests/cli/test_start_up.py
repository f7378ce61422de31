"""A command loads what it needs: counted by the large libraries that are loaded when it ends."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from reconciler.cli.verbs import HELP
from tests.cli.answering_daemon import answering_daemon
from tests.cli.program import ROOT, bare

# The libraries that take more time to import than click and yaml together, and what loads them.
LARGE = (
    "apscheduler",
    "azure.core",
    "azure.identity",
    "azure.mgmt.compute",
    "cryptography",
    "jsonschema",
    "msal",
    "prometheus_client",
    "requests",
    "rich",
    "reconciler.daemon.reconciler",
    "reconciler.simulator",
)
PROGRAM = """
import json, sys
from reconciler.cli import main

try:
    main(sys.argv[2:], prog_name="reconciler")
except SystemExit as ended:
    code = ended.code or 0
print(json.dumps([code, [name for name in json.loads(sys.argv[1]) if name in sys.modules]]))
"""


def loaded(*arguments: str, **variables: str) -> list[str]:
    """The large libraries that a command has loaded when it ends with success."""
    line = [sys.executable, "-c", PROGRAM, json.dumps(LARGE), *arguments]
    done = subprocess.run(
        line, env={**bare(), **variables}, cwd=ROOT, check=True, capture_output=True, text=True
    )
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return list(names)


@pytest.mark.parametrize(
    "line, expected",
    [
        pytest.param("--help", [], id="the list of verbs"),
        pytest.param("-h", [], id="the short option for help"),
        pytest.param("--version", [], id="the version"),
        pytest.param("schema", [], id="a schema"),
        pytest.param("completion bash", [], id="the script of a shell"),
        pytest.param("validate specs", ["jsonschema"], id="validate"),
        pytest.param("validate specs -o sarif", ["jsonschema"], id="validate for code scanning"),
    ],
)
def test_a_command_without_azure_loads_no_sdk(line: str, expected: list[str]) -> None:
    assert loaded(*line.split()) == expected


@pytest.mark.parametrize("verb", sorted(HELP))
def test_the_help_of_a_verb_loads_no_sdk(verb: str) -> None:
    assert set(loaded(verb, "--help")) <= {"jsonschema"}


@pytest.mark.parametrize(
    "line", ["reconciler why w", "reconciler approve w", "reconciler run --so", "reconciler st"]
)
def test_completion_loads_no_large_library(line: str) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    assert loaded(_RECONCILER_COMPLETE="bash_complete", **words) == []


@pytest.fixture
def daemon() -> Iterator[str]:
    with answering_daemon() as url:
        yield url


@pytest.mark.parametrize(
    "line, expected",
    [
        pytest.param("status", ["rich"], id="a table"),
        pytest.param("status web -o wide", ["rich"], id="a wide table"),
        pytest.param("status -o markdown", ["rich"], id="a table in Markdown"),
        pytest.param("status -o json", [], id="JSON"),
        pytest.param("status -o yaml --status ready", [], id="YAML"),
        pytest.param("status -o name", [], id="names"),
        pytest.param("why web", [], id="why"),
    ],
)
def test_a_command_that_the_daemon_answers_loads_no_sdk(line: str, expected: list[str], daemon: str) -> None:
    assert loaded(*line.split(), "--server", daemon) == expected
