"""docs/rollouts.md is correct: its examples are valid specs, and its tables agree with the schema."""

import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.spec.amount import amount
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.shape import fields

PAGE = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|")
]
DEFAULTS = {row[0].strip("`"): row[1].strip("`") for row in ROWS if len(row) == 3 and row[0].startswith("`")}


def field_defaults(kind: str, *at: str) -> dict[str, str]:
    """The fields directly below `at` and their defaults, as the page writes them."""
    below = {field[-1]: part for field, part in fields(kind).items() if field[:-1] == at}
    return {str(name): default_text(part) for name, part in below.items()}


def default_text(part: dict[str, Any]) -> str:
    default = part.get("default", "none")
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_examples_together_are_valid_specs() -> None:
    assert len(BLOCKS) == 4
    assert len(BLOCKS) == PAGE.count("```yaml")
    declared = declare([File(f"{number}.yaml", block.encode()) for number, block in enumerate(BLOCKS)])
    assert [str(problem) for problem in declared.problems] == []
    assert {each.name for each in declared.scale_sets} == {"shop", "database"}


def test_the_first_example_sets_every_field_of_a_rollout() -> None:
    assert [
        name
        for name in field_defaults("RolloutPolicy", "spec")
        if f"  {name}: " not in BLOCKS[0] and f"  {name}:\n" not in BLOCKS[0]
    ] == []


def test_the_tables_list_every_field_with_its_default() -> None:
    health = {
        f"health.{name}": default for name, default in field_defaults("ScaleSet", "spec", "health").items()
    }
    waits = {name: field_defaults("ScaleSet", "spec")[name] for name in ("dependsOn", "wave")}
    rollout, fleet = field_defaults("ScaleSet", "spec", "rollout"), field_defaults("Fleet", "spec")
    assert rollout["windows"] == fleet["windows"]
    assert {**rollout, **health, **waits, **fleet} == DEFAULTS


@pytest.mark.parametrize("row", [row for row in ROWS if "%` of " in row[0]], ids=lambda row: row[0])
def test_the_amounts_in_the_table_are_correct(row: list[str]) -> None:
    totals = next(
        each[1:] for each in ROWS[ROWS.index(row) :: -1] if each[1].isdecimal() and "%" not in each[0]
    )
    share = amount(row[0].split("`")[1])
    reckoned = share.within if "upgraded" in row[0] else share.of
    assert [int(cell) for cell in row[1:]] == [reckoned(int(total)) for total in totals]


def test_the_amounts_in_the_text_are_correct() -> None:
    share = amount("5%")
    assert [share.within(upgraded) for upgraded in (19, 20, 80)] == [0, 1, 4]
    assert [amount("20%").within(upgraded) for upgraded in range(1, 6)] == [0, 0, 0, 0, 1]
