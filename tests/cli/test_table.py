"""The table of `plan`: one row for all scale sets that do the same."""

from typing import Any

import pytest
from rich.console import Console

from reconciler.cli import plan_text, table


def row(name: str, up_to_date: int | None = 0, **changes: Any) -> dict[str, Any]:
    counts = None if up_to_date is None else {"upToDate": up_to_date, "total": 5}
    said = {"reason": "AwaitingPilot", "message": "web goes first", "step": None, "status": "Waiting"}
    place = {"wave": 0, "changed": True, "forecast": None}
    return {"name": name, "instances": counts, **said, **place, **changes}


def lines(*rows: dict[str, Any], width: int = 80) -> list[str]:
    console = Console(width=width)
    cells = plan_text.rows({"at": "2026-01-05T09:00:00+00:00", "scaleSets": rows, "risks": []})
    with console.capture() as captured:
        console.print(table.plan(plan_text.ROW_HEADER, cells, width))
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        pytest.param(
            [row("a", 1), row("b", 4)],
            ["0     a, b       5/10        AwaitingPilot: web goes first"],
            id="the same reason, and other counts",
        ),
        pytest.param(
            [row("a", 1), row("b", None)],
            ["0     a, b       1/5         AwaitingPilot: web goes first"],
            id="one that was not counted",
        ),
        pytest.param(
            [row("a", None)],
            ["0     a          -           AwaitingPilot: web goes first"],
            id="none counted",
        ),
        pytest.param(
            [row("a", 1), row("b", 4, message="api goes first")],
            [
                "0     a          1/5         AwaitingPilot: web goes first",
                "0     b          4/5         AwaitingPilot: api goes first",
            ],
            id="another reason",
        ),
        pytest.param(
            [row("a", 1, wave=1), row("b", 4)],
            [
                "0     b          4/5         AwaitingPilot: web goes first",
                "1     a          1/5         AwaitingPilot: web goes first",
            ],
            id="another wave",
        ),
    ],
)
def test_scale_sets_that_do_the_same_share_a_row(rows: list[dict[str, Any]], shown: list[str]) -> None:
    assert lines(*rows)[1:] == shown


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_every_word_is_whole_in_every_window(width: int) -> None:
    message = "the upgrade mode is Automatic, so Azure would upgrade instances by itself; set it to Manual"
    names = ["checkout-api-007", "search-indexer-nightly-026", *(f"web-{number:03}" for number in range(20))]
    rows = [row(name, message=message) for name in names]
    rows += [row(name, message="web goes first", wave=1) for name in names[:2]]
    shown = lines(*rows, width=width)
    assert max(map(len, shown)) <= width
    words = {word for line in shown for word in line.split()}
    assert set(f"AwaitingPilot: {message}".split()) <= words
    assert width < 80 or {f"{name}," for name in names[:3]} <= words


def test_a_row_is_one_line_in_a_pipe() -> None:
    rows = [row(f"a-scale-set-with-a-long-name-{number}") for number in range(9)]
    assert len(lines(*rows, width=10**6)) == 2
