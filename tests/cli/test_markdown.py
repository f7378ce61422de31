"""A plan as a comment: how it is folded until it fits, and that names and messages are text."""

import re
from collections.abc import Callable
from copy import deepcopy
from html import unescape
from typing import Any

import pytest

from reconciler.cli import markdown
from reconciler.forge.forge import length
from reconciler.prediction import report
from tests.prediction.plans import plan_of
from tests.stories.world import NEW, OLD, World, fleet, of_all, scale_set, spec


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    """The plan of one scale set."""
    return report.plan(plan_of(World(fleet(scale_set(capacity=20)), spec())))


def many(one: dict[str, Any], number: int, *, alike: bool) -> dict[str, Any]:
    """The same plan with so many scale sets, which roll out alike or each in its own way."""
    found = deepcopy(one)
    (row,) = found["scaleSets"]
    rows = []
    for index in range(number):
        other = deepcopy(row) | {"name": f"{row['name']}-of-a-team-{index:04}"}
        if not alike:
            other["forecast"]["assumedBatchSeconds"] = 180 + index
        rows.append(other)
    return found | {"scaleSets": rows}


@pytest.mark.parametrize("alike", [True, False], ids=["that are alike", "that all differ"])
@pytest.mark.parametrize("number", [1, 60, 1000, 5000], ids="{} scale sets".format)
def test_a_comment_fits_for(number: int, alike: bool, one: dict[str, Any]) -> None:
    text = markdown.plan(many(one, number, alike=alike))
    assert len(text) <= markdown.LONGEST
    assert text.count("<details>") == text.count("</details>") > 0


def test_scale_sets_that_do_not_fit_are_counted(one: dict[str, Any]) -> None:
    text = markdown.plan(many(one, 5000, alike=False))
    left = 5000 - (text.count("<details>") - 1)
    assert text.endswith(f"and {left:,} more groups; run `reconciler plan` for all of them\n\n</details>")


def test_one_that_does_not_fit_is_one_group(one: dict[str, Any]) -> None:
    found = deepcopy(one)
    found["scaleSets"][0]["name"] = "_" * 900
    texts = (markdown.plan(many(found, number, alike=False)) for number in range(1, 40))
    first = next(text for text in texts if "more group" in text)
    assert "and 1 more group; run" in first


def _with_risks(found: dict[str, Any]) -> None:
    found["risks"] = [{"message": "x" * 500, "scaleSets": [f"s{number}"]} for number in range(5000)]


def _with_waves(found: dict[str, Any]) -> None:
    at = found["at"]
    wave = {"begins": at, "ends": at, "scaleSets": 1, "instances": 1, "first": "web"}
    found["waves"] = [wave | {"wave": number} for number in range(5000)]


def _with_names(found: dict[str, Any]) -> None:
    (row,) = found["scaleSets"]
    found["scaleSets"] = [row | {"name": "_" * 60 + f"{number:04}"} for number in range(5000)]


def _with_a_timeline(found: dict[str, Any]) -> None:
    (row,) = found["scaleSets"]
    happened = [{"at": found["at"], "kind": "wait", "text": f"{number} " * 40} for number in range(5000)]
    found["scaleSets"] = [row | {"timeline": happened}]


def _with_long_texts(found: dict[str, Any]) -> None:
    long = "🚀@" * 50_000
    found["summary"]["images"][0]["shortTo"] = long
    found["risks"] = [{"message": long, "scaleSets": [long] * 3}]
    found["scaleSets"][0]["name"] = long
    found["summary"]["others"] = [long] * 5


HUGE = {
    "risks": _with_risks,
    "waves": _with_waves,
    "names in a group": _with_names,
    "a timeline": _with_a_timeline,
    "texts": _with_long_texts,
}


@pytest.mark.parametrize("enlarge", HUGE.values(), ids=HUGE)
def test_a_comment_fits_however_large_one_part_is(
    enlarge: Callable[[dict[str, Any]], None], one: dict[str, Any]
) -> None:
    """By the count of the strictest forge."""
    found = deepcopy(one)
    enlarge(found)
    text = markdown.plan(found, ["n" * 100_000])
    assert length(text) <= markdown.LONGEST
    assert text.count("<details>") == text.count("</details>")
    assert "and 4," in text or enlarge is _with_long_texts  # says what is left out


def test_scale_sets_that_roll_out_alike_share_a_block_if_they_are_many(one: dict[str, Any]) -> None:
    few, lots = (markdown.plan(many(one, number, alike=True)) for number in (10, 11))
    assert (few.count("<details>"), lots.count("<details>")) == (10, 1)
    assert "<details><summary>11 scale sets, " in lots
    assert re.search(r"\nweb-of-a-team-0000 \d\d:\d\d UTC, web-of-a-team-0001 \d\d:\d\d UTC, ", lots)


def test_many_that_all_differ_are_folded_together(one: dict[str, Any]) -> None:
    text = markdown.plan(many(one, 20, alike=False))
    assert text.count("<details>") == 21
    assert "<details><summary>The batches of " in text


def test_a_risk_of_a_thousand_scale_sets_is_one_line(one: dict[str, Any]) -> None:
    names = [f"s{number:04}" for number in range(1000)]
    text = markdown.plan(one | {"risks": [{"message": "something", "scaleSets": names}]})
    assert "- 1000 scale sets: something (s0000, s0001, s0002, s0003 and 996 more)" in text.replace(
        ",000", "000"
    )


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</details>",
        "| a | b |",
        "@everyone",
        "[x](http://e.vil)",
        "`rm -rf`\n# x",
        "costs $1 to $2$",
        "see https://e.vil",
        "see WWW.e.vil",
        "ask ada@example.org",
        "closes #1, !2 and ~bug",
    ],
)
def test_names_and_messages_are_text(hostile: str, one: dict[str, Any]) -> None:
    found = deepcopy(one)
    found["scaleSets"][0]["name"] = hostile
    found["risks"] = [{"message": hostile, "scaleSets": [hostile]}]
    text = markdown.plan(found, [hostile])
    assert text.replace("</details>", "", 1).count(hostile) == 0
    assert text.count("</details>") == 1
    shown = unescape(
        re.sub("</?code>", "`", re.sub("</?(details|summary)>", "", text))
    )  # what a forge looks for references in
    assert not re.search(r"://|www\.|[@#!$~]\w", shown, re.IGNORECASE)
    assert " ".join(hostile.split()) in shown.replace("\u200b", "")


def test_a_comment_says_what_a_failure_leads_to_and_how_to_stop() -> None:
    sets = [scale_set(f"s{number}", capacity=5) for number in range(3)]
    actions = ["rollback", "rollback", "hold"]
    specs = [spec(f"s{number}", rollout={"onFailure": each}) for number, each in enumerate(actions)]
    text = markdown.plan(report.plan(plan_of(World(fleet(*sets), of_all(maxChange="100%"), *specs))))
    assert (
        "If the image fails: rollback in 2 scale sets, so the model and all upgraded instances return to the last "
        "good image; hold in 1 scale set, so no further instance is upgraded until a fix is merged. " in text
    )
    assert "<code>freeze: true</code> into the Fleet. " in text
    assert "What could go wrong: nothing that is known." in text


def test_a_headline_counts_what_the_change_would_not_begin() -> None:
    sets = [scale_set("a", capacity=5), scale_set("b", capacity=5, mode="Automatic")]
    world = World(fleet(*sets), of_all(maxChange="100%"), spec("a"), spec("b"))
    shown = report.plan(plan_of(world, of_all(maxChange="100%"), spec("a", OLD), spec("b", OLD)))
    first, *_ = markdown.plan(shown).splitlines()
    assert first.startswith("**1 of 2 scale sets, 5 instances: ")
    assert f" → {NEW}; 1 would not begin; begins now" in first


@pytest.mark.parametrize(
    "failing, says",
    [
        pytest.param(0, "Once it has failed in 1 scale set, no other scale set begins it", id="not one"),
        pytest.param(1, "Once it has failed in 2 scale sets, no other scale set begins it", id="one"),
        pytest.param(
            "50%", "Once it has failed in 3 scale sets, no other", id="half of those that declare it"
        ),
    ],
)
def test_a_comment_says_how_many_failures_stop_an_image_if_there_may_be(
    failing: int | str, says: str
) -> None:
    sets = [scale_set(f"s{number}", capacity=1) for number in range(5)]
    specs = [spec(f"s{number}", OLD if number == 4 else NEW) for number in range(5)]
    limits = of_all(maxChange="100%", maxFailedRollouts=failing)
    planned = plan_of(World(fleet(*sets), limits, *specs))
    assert says in markdown.plan(report.plan(planned))
    # Scale sets that are not shown count too.
    assert says in markdown.plan(report.plan(planned.limited_to(lambda each: each.name in {"s0", "s1"})))


def test_one_scale_set_has_no_others_that_a_failure_would_stop(one: dict[str, Any]) -> None:
    assert "If the image fails: hold" in markdown.plan(one)
    assert "no other scale set" not in markdown.plan(one)


def test_a_headline_counts_suspended_scale_sets_and_the_table_has_waves_that_would_not_begin() -> None:
    sets = [scale_set(f"s{number}", capacity=1) for number in range(4)]
    specs = [spec(f"s{number}", wave=number, suspend=number == 1) for number in range(4)]
    before = [spec(f"s{number}", OLD, wave=number) for number in range(4)]
    limits = of_all(maxChange="100%")
    planned = plan_of(World(fleet(*sets), limits, *specs), limits, *before)
    lines = markdown.plan(report.plan(planned)).splitlines()
    assert "; 2 would not begin; 1 suspended; begins now, " in lines[0]
    assert [re.sub(r"\d\d:\d\d", "…", line) for line in lines[4:8]] == [
        "| 0 | … UTC | … UTC | 1 | 1 | s0 |",
        "| 1 | would not begin |  | 1 | 0 |  |",
        "| 2 | would not begin |  | 1 | 0 |  |",
        "| 3 | would not begin |  | 1 | 0 |  |",
    ]


def test_waves_are_a_table() -> None:
    sets = [scale_set(f"s{number}", capacity=2) for number in range(4)]
    specs = [spec(f"s{number}", wave=number // 2) for number in range(4)]
    found = report.plan(plan_of(World(fleet(*sets), of_all(maxChange="100%"), *specs)))
    lines = markdown.plan(found).splitlines()
    assert lines[0].startswith("**4 scale sets, 8 instances: ubuntu-24&#95;04-lts server ")
    assert "; 2 waves; begins now, ends about 09:" in lines[0]
    assert lines[2:4] == [
        "| Wave | Begins | Ends | Scale sets | Instances | First |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    assert [re.sub(r"\d\d:\d\d", "…", line) for line in lines[4:6]] == [
        "| 0 | … UTC | … UTC | 2 | 4 | s0 |",
        "| 1 | … UTC | … UTC | 2 | 4 | s2 |",
    ]
