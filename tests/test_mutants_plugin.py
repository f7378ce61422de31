"""How `make mutants` runs the tests on each mutant: in a fork, only those that reach it, to the first failure."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUNCTIONS = {"x_size": ("test_size", "test_size_again"), "x_color": ("test_color",), "x_idle": ()}
TESTS = """\
import os
from pathlib import Path

def run(name, body):
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")
    with Path("ran.txt").open("a") as ran:
        print(mutant, name, file=ran)
    exec(body, {"mutant": mutant})

"""


def run(where: Path, tests: Mapping[str, str], mutants: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin on tests with these bodies, in a directory like those that mutmut makes."""
    (where / "test_web.py").write_text(
        TESTS + "".join(f"def {name}():\n    run({name!r}, {body!r})\n\n" for name, body in tests.items())
    )
    (where / "reconciler").mkdir()
    results = {"exit_code_by_key": dict.fromkeys(f"reconciler.web.{each}" for each in mutants)}
    (where / "reconciler" / "web.py.meta").write_text(json.dumps(results))
    stats = {
        "tests_by_mangled_function_name": {
            f"reconciler.web.{function}": [f"test_web.py::{name}" for name in calling]
            for function, calling in FUNCTIONS.items()
        },
        "duration_by_test": {f"test_web.py::{name}": number for number, name in enumerate(tests)},
    }
    (where / "mutmut-stats.json").write_text(json.dumps(stats))
    return subprocess.run(
        (
            sys.executable,
            "-m",
            "pytest",
            "--rootdir=.",
            "-qq",
            "-s",
            "-p",
            "tests.mutants_plugin",
            "test_web.py",
        ),
        cwd=where,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_exit_code_of_each_mutant_is_kept_where_mutmut_looks_for_it(tmp_path: Path) -> None:
    bodies = {
        "test_size": "assert mutant != 'fail'\nassert not mutant.endswith('x_size__mutmut_1')",
        "test_size_again": "while mutant.endswith('x_size__mutmut_2'): pass",
        "test_color": "assert 'size' not in mutant",
    }
    mutants = (
        "x_size__mutmut_1",
        "x_size__mutmut_2",
        "x_size__mutmut_3",
        "x_color__mutmut_1",
        "x_idle__mutmut_1",
    )
    done = run(tmp_path, bodies, mutants)
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "reconciler" / "web.py.meta").read_text())["exit_code_by_key"]
    assert {name.removeprefix("reconciler.web."): code for name, code in found.items()} == {
        "x_size__mutmut_1": 1,
        "x_size__mutmut_2": -24,  # the kernel ended it
        "x_size__mutmut_3": 0,
        "x_color__mutmut_1": 0,
        "x_idle__mutmut_1": 0,
    }
    ran = [line.removeprefix("reconciler.web.") for line in (tmp_path / "ran.txt").read_text().splitlines()]
    assert [line for line in ran if line.startswith("x_size__mutmut_1 ")] == ["x_size__mutmut_1 test_size"]
    assert sorted(line for line in ran if line.startswith("x_size__mutmut_3 ")) == [
        "x_size__mutmut_3 test_size",
        "x_size__mutmut_3 test_size_again",
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("assert mutant", id="the tests fail without a mutant"),
        pytest.param("pass", id="no test notices that every function raises"),
    ],
)
def test_tests_that_cannot_judge_are_reported_and_no_mutant_is_run(tmp_path: Path, body: str) -> None:
    done = run(
        tmp_path, {"test_size": body, "test_size_again": "pass", "test_color": "pass"}, ["x_size__mutmut_1"]
    )
    assert done.returncode == 1
    assert "tests/rollout has to pass without a mutant, and to fail if every function raises" in done.stdout
    assert "x_size__mutmut_1" not in (tmp_path / "ran.txt").read_text()
