"""How `make mutants` reads the output of mutmut and the list of accepted mutants."""

import tomllib
from typing import Any

import pytest

from tests.mutants import ROOT, Mutant, compared, listed, mutant, restricted, undecorated

NOT_SERVING = Mutant(
    "member.py", "Member.is_not_serving", "return self.is_stuck or dark", "return self.is_stuck and dark"
)
WHOLE = Mutant("domains.py", "_whole", "return 1", "return 2")

LIST = f"""\
# Mutants

- `no`: `module` → `yet`

## domains.py

{WHOLE}
  Equivalent.

## member.py

{NOT_SERVING}
  Equivalent, because nothing is dark that is stuck.
"""

SHOWN = """\
# reconciler.rollout.member.xǁMemberǁis_not_serving__mutmut_2: survived
--- reconciler/rollout/member.py
+++ reconciler/rollout/member.py
@@ -1,4 +1,4 @@
 def is_not_serving(self) -> bool:
     dark = self.state is State.UNHEALTHY
-    return self.is_stuck or dark
+    return self.is_stuck and dark
"""

REMOVED = """\
--- reconciler/rollout/decide.py
+++ reconciler/rollout/decide.py
@@ -1,6 +1,5 @@
     return Decision(
-        Reason.UPGRADING,
         f"{domain}: upgrading",
-        survey=counts,
     )
"""

SOURCE = """\
class One:
    @property
    def next(self) -> int:
        return 2

    @staticmethod
    def other() -> int:
        return 3
"""


@pytest.mark.parametrize(
    ("name", "shown", "one"),
    [
        pytest.param(
            "reconciler.rollout.member.xǁMemberǁis_not_serving__mutmut_2",
            SHOWN,
            NOT_SERVING,
            id="of a method",
        ),
        pytest.param(
            "reconciler.rollout.decide.x__next_batch__mutmut_17",
            REMOVED,
            Mutant("decide.py", "_next_batch", "Reason.UPGRADING, survey=counts,", ""),
            id="a mutant of a function that removes lines",
        ),
    ],
)
def test_a_mutant_is_identified_by_its_change(name: str, shown: str, one: Mutant) -> None:
    assert mutant(name, shown) == one


def test_the_list_is_read_by_module() -> None:
    assert listed(LIST) == [WHOLE, NOT_SERVING]


def test_a_listed_mutant_without_an_argument_is_reported() -> None:
    with pytest.raises(SystemExit, match=r"domains\.py: - `_whole`: .*\nhas no argument"):
        listed(LIST.replace("  Equivalent.\n", ""))


def test_nothing_is_wrong_where_those_live_that_are_listed() -> None:
    assert compared([NOT_SERVING, WHOLE, WHOLE], [WHOLE, NOT_SERVING, WHOLE]) == []


def test_what_is_not_listed_is_told_as_it_would_be_listed() -> None:
    wrong = compared([NOT_SERVING, WHOLE], [NOT_SERVING])
    assert wrong[0].startswith("No test sees these changes")
    assert listed("\n".join(["", *wrong[1:]]).replace("2`\n", "2`\n  Because.\n")) == [WHOLE]


def test_the_same_change_of_two_equal_lines_is_listed_twice() -> None:
    assert compared([WHOLE, WHOLE], [WHOLE])[1:] == ["## domains.py\n", str(WHOLE), ""]


def test_what_lives_no_more_is_told() -> None:
    says, *which = compared([NOT_SERVING], [WHOLE, NOT_SERVING])
    assert "strike them" in says
    assert which == ["## domains.py\n", str(WHOLE), ""]


def test_a_property_without_decorator_is_still_a_property() -> None:
    assert undecorated(SOURCE).splitlines()[1:5] == [
        "",
        "    def next(self) -> int:",
        "        return 2",
        "    next = property(next)",
    ]
    made: dict[str, Any] = {}
    exec(undecorated(SOURCE), made)  # noqa: S102
    assert (made["One"]().next, made["One"].other()) == (2, 3)


def test_mutmut_changes_only_the_modules_that_are_named() -> None:
    settings = tomllib.loads(restricted((ROOT / "pyproject.toml").read_text(), ["pause.py", "barred.py"]))
    assert settings["tool"]["mutmut"]["only_mutate"] == [
        "reconciler/rollout/barred.py",
        "reconciler/rollout/pause.py",
    ]
