"""What the program loads for a verb: the simulator costs only those who simulate, Azure only those who ask it."""

import json
import subprocess
import sys

import pytest

from reconciler.cli.verbs import NAMES, Verbs

# Modules stay once they are imported, so a verb is charged with what the verbs before it have loaded.
LOADED = {
    "validate": [],
    "adopt": ["azure.mgmt.compute"],
    "approve": ["azure.mgmt.compute"],
    "check": ["azure.mgmt.compute"],
    "plan": ["azure.mgmt.compute"],
    "run": ["azure.mgmt.compute"],
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


def test_every_verb_is_weighed_here() -> None:
    assert LOADED.keys() == set(NAMES)


def test_there_is_no_verb_of_another_name() -> None:
    with pytest.raises(KeyError):
        Verbs()["destroy"]
