"""`make mutants`: makes small changes to the decision, and prints those that no test detects.

mutmut makes each change to `reconciler/rollout/` separately, and finds the tests of tests/rollout/ that reach it.
tests/mutants_plugin.py runs them. If no test detects a change, a test is missing or the change has no effect.
docs/mutants.md lists the latter with an argument for each. The changes that survive must be exactly those listed.

`python -m tests.mutants barred.py pause.py` changes these modules alone.

This happens in a copy of the tree. mutmut skips code outside functions, so constants, tables and defaults are not
changed.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPY = ROOT / ".mutants"
COPIED = ("reconciler", "tests", "pyproject.toml")
LIST = "docs/mutants.md"
EVERY = '"reconciler/rollout/*"'  # as pyproject.toml has it
# mutmut writes the mutants of each module, and runs itself only those of this one. It takes no empty match.
FEW = "reason.py"
CAUGHT = ("killed", "timeout")

# "    reconciler.rollout.member.xǁMemberǁis_not_serving__mutmut_2: survived", or x_members__mutmut_1 of a function.
_RESULT = re.compile(r"^ +(?P<name>\S+): (?P<status>.+)$", re.MULTILINE)
_NAME = re.compile(r"(?P<module>\w+)\.x(?:_|ǁ(?P<owner>\w+)ǁ)(?P<function>\w+)__mutmut_\d+")
_LISTED = re.compile(
    r"^- `(?P<function>[^`]+)`: `(?P<before>[^`]*)` → `(?P<after>[^`]*)`$(?P<why>\n  \S.*)?", re.MULTILINE
)


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A change, identified by its text, because numbers of changes or lines would move with every commit."""

    module: str  # "member.py"
    function: str  # "members", "Member.is_not_serving"
    before: str  # the lines that it changes, as one
    after: str

    def __str__(self) -> str:
        """As docs/mutants.md lists it, under its module."""
        return f"- `{self.function}`: `{self.before}` → `{self.after}`"


def main() -> None:
    """Exit 1 unless those that live are those that are listed."""
    every = {each.name for each in (ROOT / "reconciler" / "rollout").glob("*.py")}
    modules = {*sys.argv[1:], FEW} if sys.argv[1:] else every
    if unknown := modules - every:
        sys.exit(f"reconciler/rollout/ has no module {min(unknown)}; name modules like {FEW}")
    expected = [one for one in listed((ROOT / LIST).read_text()) if one.module in modules]
    _copy()
    settings = COPY / "pyproject.toml"
    settings.write_text(restricted(settings.read_text(), modules))
    what = " and ".join(sorted(modules)) if sys.argv[1:] else "reconciler/rollout/"
    print(f"mutants: changing {what} in every small way; this takes some minutes", flush=True)
    _mutmut("run", "--max-children", "1", f"reconciler.rollout.{FEW.removesuffix('.py')}.*")
    _run_tests()
    results = list(_RESULT.finditer(_mutmut("results", "--all", "true")))
    lives = [each["name"] for each in results if each["status"] not in CAUGHT]
    wrong = compared([mutant(name, _mutmut("show", name)) for name in lives], expected)
    print(*wrong, f"{len(results)} mutants: {len(lives)} live, {len(expected)} are listed", sep="\n")
    sys.exit(bool(wrong))


def listed(text: str) -> list[Mutant]:
    """What docs/mutants.md argues. Exits where something is listed without an argument."""
    found = []
    for section in text.split("\n## ")[1:]:
        module = section.partition("\n")[0]
        for each in _LISTED.finditer(section):
            one = Mutant(module, each["function"], each["before"], each["after"])
            if not each["why"]:
                sys.exit(f"{LIST}: {module}: {one}\nhas no argument; say on the next line why it may live")
            found.append(one)
    return found


def compared(living: Iterable[Mutant], expected: Iterable[Mutant]) -> list[str]:
    """What is wrong, in lines. The same change of two equal lines counts twice."""
    unlisted, gone = Counter(living) - Counter(expected), Counter(expected) - Counter(living)
    lines = []
    for says, wrong in (
        (f"No test sees these changes: add one, or argue them in {LIST}.", unlisted),
        (f"{LIST} lists these changes, and they are seen or made no more: strike them.", gone),
    ):
        if wrong:
            lines.append(f"{says}\n")
        for module, group in groupby(sorted(wrong.elements()), key=lambda one: one.module):
            lines += [f"## {module}\n", *map(str, group), ""]
    return lines


def mutant(name: str, shown: str) -> Mutant:
    """A mutant by the name that mutmut gives it and the diff that mutmut shows."""
    named = _NAME.search(name)
    assert named, f"mutmut names mutants otherwise by now: {name}"
    owner = f"{named['owner']}." if named["owner"] else ""
    changes = shown.partition("\n@@")[2].splitlines()[1:]
    before, after = (" ".join(line[1:].strip() for line in changes if line.startswith(sign)) for sign in "-+")
    return Mutant(f"{named['module']}.py", f"{owner}{named['function']}", before, after)


def undecorated(source: str) -> str:
    """The same module with its properties made by calls: mutmut passes over functions with decorators."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and [*map(ast.unparse, node.decorator_list)] == ["property"]:
            lines[node.decorator_list[0].lineno - 1] = ""
            assert node.end_lineno
            lines[node.end_lineno - 1] += f"\n{' ' * node.col_offset}{node.name} = property({node.name})"
    return "\n".join([*lines, ""])


def restricted(settings: str, modules: Iterable[str]) -> str:
    """pyproject.toml, so that mutmut changes only these modules."""
    assert EVERY in settings, f"[tool.mutmut] of pyproject.toml has no {EVERY} any more"
    return settings.replace(EVERY, ", ".join(f'"reconciler/rollout/{each}"' for each in sorted(modules)))


def _copy() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, COPY / name)
    for module in (COPY / "reconciler" / "rollout").glob("*.py"):
        module.write_text(undecorated(module.read_text()))


def _mutmut(*arguments: str) -> str:
    """What mutmut says. Sets have one order, so that it says the same each time."""
    done = subprocess.run(
        (sys.executable, "-m", "mutmut", *arguments),
        cwd=COPY,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\nmutmut {arguments[0]} failed")
    return done.stdout


def _run_tests() -> None:
    """Run the tests on all mutants, and keep the results where mutmut looks for them."""
    command = (
        sys.executable,
        "-m",
        "pytest",
        "--rootdir=.",
        "-qq",
        "-s",
        "-p",
        "tests.mutants_plugin",
        "tests/rollout",
    )
    if subprocess.run(command, cwd=COPY / "mutants", check=False).returncode:
        sys.exit("pytest failed on the mutants")


if __name__ == "__main__":
    main()
