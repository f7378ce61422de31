"""The verbs: what loading them costs, and how they end on Ctrl-C."""

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest
from click.testing import CliRunner

from reconciler import program
from reconciler.cli import main
from reconciler.cli.verbs import HELP, Verbs, unknown_verb

# The act of each verb, or the verb itself if it has none. Modules stay once they are imported, so an act is
# charged with what the acts before it have loaded.
LOADED = {
    "validate": [],
    "comment": [],
    "completion": [],
    "acts.config": [],
    "schema": [],
    "reconcile": [],
    "acts.wait": [],
    "acts.upgrade": [],
    "report": [],
    "acts.history": [],
    "acts.status": [],
    "acts.why": [],
    "acts.adopt": ["azure.mgmt.compute"],
    "acts.approve": ["azure.mgmt.compute"],
    "acts.check": ["azure.mgmt.compute"],
    "acts.diff": ["azure.mgmt.compute"],
    "acts.dismiss": ["azure.mgmt.compute"],
    "acts.revert": ["azure.mgmt.compute"],
    "acts.pause": ["azure.mgmt.compute"],
    "acts.resume": ["azure.mgmt.compute"],
    "acts.retry": ["azure.mgmt.compute"],
    "plan": ["azure.mgmt.compute"],
    "acts.run": ["azure.mgmt.compute"],
    "acts.snapshot": ["azure.mgmt.compute"],
    "rehearse": ["azure.mgmt.compute"],
    "acts.simulate": ["azure.mgmt.compute", "reconciler.simulator"],
}
PROGRAM = """
import json, sys
from importlib import import_module

watched = ("azure.mgmt.compute", "reconciler.simulator")
loaded = {}
for name in sys.argv[1:]:
    import_module(f"reconciler.cli.{name}")
    loaded[name] = [each for each in watched if each in sys.modules]
print(json.dumps(loaded))
"""


def test_an_act_loads_only_what_it_needs() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *LOADED], check=True, capture_output=True, text=True
    )
    assert json.loads(ended.stdout) == LOADED


@pytest.mark.parametrize("verb", HELP)
def test_the_list_of_verbs_has_the_first_sentence_of_their_help(verb: str) -> None:
    paragraph = inspect.cleandoc(main.commands[verb].help or "").partition("\n\n")[0]
    assert HELP[verb] == re.split(r"(?<=\.) ", paragraph.replace("\n", " "))[0]


@pytest.mark.parametrize(
    "line, name",
    [
        (["validate"], "reconciler.cli.validate.read_paths"),
        (["comment"], "reconciler.cli.acts.comment.locate"),
        (["simulate", "fleet.yaml"], "reconciler.cli.acts.simulate.read_fleet"),
        *(([verb], "reconciler.cli.access.Session") for verb in ("plan", "check", "status", "run")),
        (["why", "web"], "reconciler.cli.access.Session"),
        (["approve", "web"], "reconciler.cli.access.Session"),
        (["retry", "web"], "reconciler.cli.access.Session"),
        (["dismiss", "web"], "reconciler.cli.access.Session"),
        (["pause", "web", "--reason", "x"], "reconciler.cli.access.Session"),
        (["resume", "web"], "reconciler.cli.access.Session"),
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
    assert {each.removeprefix("acts.") for each in LOADED} == set(HELP)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((word, "pause") for word in ("stop", "abort", "cancel", "suspend", "freeze", "puase")),
        *((word, "status") for word in ("staus", "state", "stats", "get", "watch")),
        *(
            ("promote", "approve"),
            ("prune", "dismiss"),
            ("aprove", "approve"),
            ("explain", "schema"),
            ("paln", "plan"),
        ),
        *(("vaildate", "validate"), ("upgrades", "upgrade"), ("wy", "why"), ("wai", "wait"), ("dif", "diff")),
    ],
)
def test_an_unknown_verb_leads_to_the_one_that_was_meant(word: str, meant: str) -> None:
    assert unknown_verb(word).endswith(f"; did you mean `reconciler {meant}`?")


@pytest.mark.parametrize(
    "word", ["restart", "start", "reset", "repeat", "remove", "repair", "redo", "launch", "destroy"]
)
def test_a_verb_that_we_do_not_have_leads_to_no_other(word: str) -> None:
    assert unknown_verb(word).endswith("; run `reconciler --help` to see the commands")


def test_there_are_no_other_verbs() -> None:
    with pytest.raises(KeyError):
        Verbs()["destroy"]
