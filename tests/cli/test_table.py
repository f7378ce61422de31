"""The table of `plan`: one row for all scale sets that do the same."""

from typing import Any

import pytest
from rich.console import Console

from reconciler.cli import table


def row(name: str, up_to_date: int | None = 0, **changes: Any) -> dict[str, Any]:
    counts = None if up_to_date is None else {"upToDate": up_to_date, "total": 5}
    said = {"reason": "AwaitingPilot", "message": "web goes first", "step": None, "status": "Waiting"}
    return {"name": name, "instances": counts, **said, **changes}


def lines(*rows: dict[str, Any], width: int = 80) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table.plan(rows))
    return [line.rstrip() for line in captured.get().splitlines()]


STEP = {"kind": "PatchModel"}


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        pytest.param(
            [row("a", 1), row("b", 4)],
            ["a, b       -     5/10        AwaitingPilot: web goes first"],
            id="the same reason, and other counts",
        ),
        pytest.param(
            [row("a", 1), row("b", None)],
            ["a, b       -     1/5         AwaitingPilot: web goes first"],
            id="one that was not counted",
        ),
        pytest.param(
            [row("a", None)],
            ["a          -     -           AwaitingPilot: web goes first"],
            id="none counted",
        ),
        pytest.param(
            [row("a", 1), row("b", 4, message="api goes first")],
            [
                "a          -     1/5         AwaitingPilot: web goes first",
                "b          -     4/5         AwaitingPilot: api goes first",
            ],
            id="another reason",
        ),
        pytest.param(
            [row("a", 1), row("b", 4, step=STEP)],
            [
                "a          -           1/5         AwaitingPilot: web goes first",
                "b          PatchModel  4/5         AwaitingPilot: web goes first",
            ],
            id="another step",
        ),
    ],
)
def test_scale_sets_that_do_the_same_share_a_row(rows: list[dict[str, Any]], shown: list[str]) -> None:
    assert lines(*rows)[1:] == shown


def test_a_name_of_usual_length_is_not_broken() -> None:
    name = "search-indexer-nightly-026"
    message = "the upgrade mode is Automatic, so Azure would upgrade instances by itself; set it to Manual"
    shown = lines(row("checkout-api-007", message=message), row(name, message=message), row("web"))
    assert any(line.startswith((f"{name},", f"{name} ")) for line in shown), shown
