"""What the program loads for a verb: the simulator costs only those who simulate, Azure only those who ask it."""

import json
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest
from click.testing import CliRunner

from reconciler import program
from reconciler.cli import main
from reconciler.cli.verbs import NAMES, Verbs

# Modules stay once they are imported, so a verb is charged with what the verbs before it have loaded.
LOADED = {
    "validate": [],
    "comment": [],
    "schema": [],
    "adopt": ["azure.mgmt.compute"],
    "approve": ["azure.mgmt.compute"],
    "check": ["azure.mgmt.compute"],
    "dismiss": ["azure.mgmt.compute"],
    "pause": ["azure.mgmt.compute"],
    "resume": ["azure.mgmt.compute"],
    "reconcile": ["azure.mgmt.compute"],
    "retry": ["azure.mgmt.compute"],
    "plan": ["azure.mgmt.compute"],
    "run": ["azure.mgmt.compute"],
    "snapshot": ["azure.mgmt.compute"],
    "rehearse": ["azure.mgmt.compute"],
    "status": ["azure.mgmt.compute"],
    "why": ["azure.mgmt.compute"],
    "simulate": ["azure.mgmt.compute", "reconciler.simulator"],
}
PROGRAM = """
import json, sys
from reconciler.cli import main

watched = ("azure.mgmt.compute", "reconciler.simulator")
loaded = {}
for verb in sys.argv[1:]:
    assert main.commands[verb].name == verb
    loaded[verb] = [name for name in watched if name in sys.modules]
print(json.dumps(loaded))
"""


def test_a_verb_loads_only_what_it_needs() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *LOADED], check=True, capture_output=True, text=True
    )
    assert json.loads(ended.stdout) == LOADED


@pytest.mark.parametrize(
    "line, name",
    [
        (["validate"], "reconciler.cli.validate.read_paths"),
        (["comment"], "reconciler.cli.comment.locate"),
        (["simulate", "fleet.yaml"], "reconciler.cli.simulate.read_fleet"),
        *(([verb], "reconciler.cli.options.Session") for verb in ("plan", "check", "status", "run")),
        (["why", "web"], "reconciler.cli.options.Session"),
        (["approve", "web"], "reconciler.cli.options.Session"),
        (["retry", "web"], "reconciler.cli.options.Session"),
        (["dismiss", "web"], "reconciler.cli.options.Session"),
        (["pause", "web", "--reason", "x"], "reconciler.cli.options.Session"),
        (["resume", "web"], "reconciler.cli.options.Session"),
    ],
)
def test_every_verb_ends_in_the_same_way_on_ctrl_c(
    line: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, function = name.rpartition(".")
    monkeypatch.setattr(import_module(module), function, interrupted)
    done = CliRunner().invoke(main, line)
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "interrupted\n")


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_is_quiet_while_the_program_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Slow(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "reconciler.cli", Slow("reconciler.cli"))
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert (ended.value.code, *capsys.readouterr()) == (130, "", "interrupted\n")


def test_the_imports_of_every_verb_are_tested() -> None:
    assert LOADED.keys() == set(NAMES)


def test_there_are_no_other_verbs() -> None:
    with pytest.raises(KeyError):
        Verbs()["destroy"]
