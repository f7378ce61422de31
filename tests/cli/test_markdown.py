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


def risk(message: str, *names: str, **rest: Any) -> dict[str, Any]:
    return {
        "message": message,
        "scaleSets": list(names),
        "reason": None,
        "blocks": None,
        "holdsUp": [],
        **rest,
    }


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
    left = 5000 - text.count("\n- web-of-a-team-")
    assert text.endswith(f"and {left:,} more groups; run `reconciler plan` for all of them\n\n</details>")


def test_one_that_does_not_fit_is_one_group(one: dict[str, Any]) -> None:
    found = deepcopy(one)
    found["scaleSets"][0]["name"] = "_" * 900
    texts = (markdown.plan(many(found, number, alike=False)) for number in range(1, 40))
    first = next(text for text in texts if "more group" in text)
    assert "and 1 more group; run" in first


def _with_risks(found: dict[str, Any]) -> None:
    found["risks"] = [risk("x" * 500, f"s{number}") for number in range(5000)]


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
    found["risks"] = [risk(long, *[long] * 3), risk(long, *[long] * 9, blocks="waits")]
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
    assert "<details><summary>The rollouts of " in text


def test_a_risk_of_a_thousand_scale_sets_is_one_line(one: dict[str, Any]) -> None:
    names = [f"s{number:04}" for number in range(1000)]
    text = markdown.plan(one | {"risks": [risk("something", *names)]})
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
    found["risks"] = [risk(hostile, hostile), risk(hostile, *[hostile] * 4, blocks="suspended")]
    text = markdown.plan(found, [hostile])
    assert text.replace("</details>", "", 2).count(hostile) == 0
    assert text.count("</details>") == 2
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
        "<code>maxFailedRollouts</code> allows no failure). The model and all upgraded instances return to the last good image "
        "(<code>onFailure: rollback</code>, in 2 scale sets); the upgraded instances keep the image "
        "(<code>onFailure: hold</code>, in 1 scale set). This lasts until " in text
    )
    assert (
        "**If the image fails:** One scale set, the pilot, takes it first, and the others wait until its first batch "
        "is healthy. s0 begins, with 1 instance. Others follow as the image proves itself: one, two, "
        "four and so on. At most 3 scale sets upgrade at once; together at most 3 instances are being upgraded at any "
        "moment. Bad from the start: 1 instance, all in s0. Bad only later: every instance upgraded by then, up to 15 by "
        "09:24 UTC. The next batch begins only once " in text
    )
    assert (
        "<code>freeze: true</code> into the Fleet. Batches in progress, at most 3 instances in all, are "
        in text
    )
    assert "**Risks:** none that is known" in text


def test_a_comment_says_first_what_the_change_does_not_upgrade() -> None:
    sets = [scale_set("a", capacity=5), scale_set("b", capacity=5, mode="Automatic")]
    world = World(fleet(*sets), of_all(maxChange="100%"), spec("a"), spec("b"))
    shown = report.plan(plan_of(world, of_all(maxChange="100%"), spec("a", OLD), spec("b", OLD)))
    first, _, verdict, *_ = markdown.plan(shown).splitlines()
    assert first.startswith("**1 of 2 scale sets, 5 instances: ")
    assert first.endswith(f" → {NEW}**")
    assert (
        verdict == "**Incomplete: 1 of 2 scale sets does not reach the image with this change: 1 blocked.**"
    )


@pytest.mark.parametrize(
    "failing, says",
    [
        pytest.param(
            0, "From then on no scale set begins it, and healthy instances that are not", id="not one"
        ),
        pytest.param(1, "Once it has failed in 2 scale sets, no scale set begins it, and", id="one"),
        pytest.param(
            "50%", "Once it has failed in 3 scale sets, no scale set", id="half of those that declare it"
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
    text = markdown.plan(report.plan(planned))
    assert says in text
    assert ("Bad from the start: 1 instance, all in s0." in text) == (not failing), "else others try it too"
    # Scale sets that are not shown count too.
    assert says in markdown.plan(report.plan(planned.limited_to(lambda each: each.name in {"s0", "s1"})))


def test_one_scale_set_has_no_others_that_a_failure_would_stop(one: dict[str, Any]) -> None:
    assert (
        "**If the image fails:** 4 instances of web take it first. Bad from the start: 4 instances. Bad only later: "
        "every instance upgraded by then, up to 20 by 09:16 UTC. The next batch begins only once the upgraded "
        "instances are healthy. The image has failed once more than <code>maxUnhealthyUpgraded</code> of the instances "
        "upgraded are unhealthy for longer than <code>health.timeout</code> (10m), and a larger share than among those "
        "that were not upgraded. Instances that were unhealthy before do not count. From then on healthy instances "
        "that are not upgraded are left alone. The upgraded instances keep the image " in markdown.plan(one)
    )


CAP = of_all(maxChange="100%")


def comment(*specs: dict[str, Any], **modes: str) -> list[str]:
    """The lines of the comment on a change of these scale sets from the old image."""
    names = [each["metadata"]["name"] for each in specs]
    sets = [scale_set(name, capacity=2, mode=modes.get(name, "Manual")) for name in names]
    before = [{**each, "spec": {**each["spec"], "image": {"platform": platform_of(OLD)}}} for each in specs]
    return markdown.plan(report.plan(plan_of(World(fleet(*sets), CAP, *specs), CAP, *before))).splitlines()


def platform_of(version: str) -> dict[str, str]:
    image: dict[str, str] = spec("any", version)["spec"]["image"]["platform"]
    return image


def timeless(lines: list[str]) -> list[str]:
    return [re.sub(r"\d\d:\d\d", "…", line) for line in lines]


def test_each_row_of_the_waves_adds_up_and_one_that_does_not_begin_says_never() -> None:
    specs = [spec(f"s{number}", wave=number // 2, suspend=number == 1) for number in range(5)]
    lines = comment(*specs)
    assert lines[2] == (
        "**Incomplete: 4 of 5 scale sets do not reach the image with this change: 1 suspended and 3 waiting behind "
        "it.**"
    )
    (header,) = [number for number, line in enumerate(lines) if line.startswith("| Wave |")]
    assert lines[header] == "| Wave | Begins | Ends | Scale sets | Instances | Begins with |"
    assert timeless(lines[header + 2 : header + 5]) == [
        "| 0 | … UTC | stalls at … UTC | 1 of 2 | 2 of 4 | s0 |",
        "| 1 | never |  | 0 of 2 | 0 of 4 |  |",
        "| 2 | never |  | 0 of 1 | 0 of 2 |  |",
    ]


def test_waves_are_a_table_that_names_the_pilots() -> None:
    lines = comment(*(spec(f"s{number}", wave=number // 2) for number in range(4)))
    assert lines[0].startswith("**4 scale sets, 8 instances: ubuntu-24&#95;04-lts server ")
    assert lines[2] == "All 4 scale sets reach the image."
    assert timeless([line for line in lines if line.startswith(("| 0", "| 1"))]) == [
        "| 0 | … UTC | … UTC | 2 of 2 | 4 | s0 (pilot) |",
        "| 1 | … UTC | … UTC | 2 of 2 | 4 | s2 (pilot) |",
    ]


def test_a_comment_says_when_as_of_the_merge_and_what_the_times_assume() -> None:
    when, loss = comment(*(spec(f"s{number}") for number in range(2)))[4:6]
    found = re.fullmatch(
        r"If merged now \(Mon 2026-01-05 (\d\d):(\d\d) UTC\), it begins at once and ends about (\d\d):(\d\d) UTC "
        r"\((\d+)m\), assuming 3m for each batch\.<br>",
        when,
    )
    assert found, when
    begins, minute, ends, last, length = map(int, found.groups())
    assert 60 * (ends - begins) + last - minute == length  # as a reader would check it
    assert timeless([loss]) == [
        "At worst, 1 of 2 (50%) unavailable in s0 at … UTC, and 2 of 4 (50%) in these 2 scale sets at … UTC."
    ]


def test_blocks_name_their_effect_and_the_reason_last() -> None:
    """Four scale sets wait in vain. The line names some of them, and a block all."""
    lines = comment(
        spec("auto"), spec("off", suspend=True), *(spec(f"w{n}", wave=1) for n in range(4)), auto="Automatic"
    )
    first = next(number for number, line in enumerate(lines) if line.startswith("**Blocks** "))
    assert lines[first : first + 5] == [
        "**Blocks** (what keeps scale sets from being upgraded; nothing is written to them):",
        "",
        "- auto is not upgraded: the upgrade mode is Automatic, so Azure would upgrade instances by itself as soon "
        "as the model changes; set upgradePolicy.mode to Manual. 4 scale sets wait for it "
        "(<code>NotManualMode</code>)",
        "- off is not upgraded: <code>spec.suspend</code> is set; remove <code>spec.suspend</code>, or set it to false, "
        "or declare it in a later <code>wave</code> and in no <code>dependsOn</code>. The same 4 scale sets wait for it "
        "(<code>Suspended</code>)",
        "- 4 scale sets (w0, w1, w2, w3) wait for auto (NotManualMode) and off (Suspended). Once all is fixed, they "
        "begin by themselves (<code>DependencyNotReady</code>)",
    ]
    assert "<details><summary>All 4 scale sets that wait</summary>" in lines
    assert "w0, w1, w2, w3" in lines


@pytest.mark.parametrize(
    "suspended, automatic, says",
    [
        pytest.param("a", "", "1 suspended and 1 waiting behind it", id="one cause"),
        pytest.param("ab", "", "2 suspended and 1 waiting behind these 2", id="two causes"),
        pytest.param(
            "a", "z", "1 suspended, 1 blocked and 1 waiting behind 1 of these 2", id="one of two causes"
        ),
    ],
)
def test_the_verdict_says_how_many_causes_hold_others_up(suspended: str, automatic: str, says: str) -> None:
    """No scale set waits for z, which is in the last wave."""
    waves = {"a": 0, "b": 0, "y": 1, "z": 1}
    specs = [spec(name, wave=wave, suspend=name in suspended) for name, wave in waves.items()]
    if automatic == "":
        specs.pop()
    assert f": {says}.**" in comment(*specs, **dict.fromkeys(automatic, "Automatic"))[2]


def test_instances_that_are_not_read_make_a_number_the_least() -> None:
    """Azure is not asked for the instances of a refused scale set."""
    shown = comment(spec("a"), spec("b", suspend=True), spec("c"), spec("d"), d="Automatic")
    assert shown[0].startswith("**2 of 4 scale sets, 4 of at least 6 instances: ")
    shown = comment(spec("a"), spec("b", suspend=True), spec("c"))
    assert shown[0].startswith("**2 of 3 scale sets, 4 of 6 instances: ")


def test_a_scale_set_of_a_group_that_differs_by_a_risk_says_so(one: dict[str, Any]) -> None:
    found = many(one, 11, alike=True)
    found["risks"] = [risk("something", "web-of-a-team-0004")]
    text = markdown.plan(found)
    assert re.search(r"0004 \d\d:\d\d UTC \(see Risks\), web-of-a-team-0005 \d\d:\d\d UTC,", text)
