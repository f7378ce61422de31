"""Instances, steps and times in one line."""

from typing import Any

import pytest

from reconciler.rollout.gate import Gate
from reconciler.rollout.gates import closed_gate_message
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.rollout.wording import (
    describe,
    describe_step,
    join,
    list_names,
    list_numbered,
    moment,
    quote_error,
    share,
    time_of_day,
)
from tests.build import NEW, NOW, OLD, fleet, instance


@pytest.mark.parametrize(
    ("count", "line"),
    [
        pytest.param(0, "", id="nobody"),
        pytest.param(4, "0, 1, 2, 3", id="four are all named"),
        pytest.param(5, "0, 1, 2, 3 and 1 more", id="a fifth is counted"),
        pytest.param(1000, "0, 1, 2, 3 and 996 more", id="a thousand are counted"),
    ],
)
def test_a_list_names_four_and_counts_the_rest(count: int, line: str) -> None:
    assert join(map(str, range(count))) == line


@pytest.mark.parametrize(
    ("names", "size", "line"),
    [
        pytest.param("", None, "", id="nobody"),
        pytest.param("a", None, "a", id="one"),
        pytest.param("ab", None, "a and b", id="two"),
        pytest.param("abcd", None, "a, b, c and d", id="four are all named"),
        pytest.param("abcde", None, "a, b, c, d and 1 more", id="a fifth is counted"),
        pytest.param("abcd", 9, "a, b, c, d and 5 more", id="the first four of nine"),
    ],
)
def test_a_list_within_a_sentence(names: str, size: int | None, line: str) -> None:
    assert list_names(names, size) == line


@pytest.mark.parametrize(
    ("names", "line"),
    [
        pytest.param(["zone 1"], "zone 1", id="one"),
        pytest.param(["zone 1", "zone 2"], "zones 1 and 2", id="two with one noun"),
        pytest.param(
            ["update domain 0", "update domain 1"], "update domains 0 and 1", id="a noun of two words"
        ),
        pytest.param(["zone 1", "rack 2"], "zone 1 and rack 2", id="two nouns"),
        pytest.param(["zone 1", "rack 2", "hall 3"], "zone 1, rack 2 and hall 3", id="three nouns"),
        pytest.param(["1", "2"], "1 and 2", id="no noun"),
    ],
)
def test_a_common_noun_is_not_repeated(names: list[str], line: str) -> None:
    assert list_numbered(names) == line


@pytest.mark.parametrize(
    ("number", "total", "words"),
    [
        pytest.param(1, 1, "the only instance", id="one of one"),
        pytest.param(2, 2, "both instances", id="two of two"),
        pytest.param(3, 3, "all 3 instances", id="three of three"),
        pytest.param(1, 2, "1 of 2 instances", id="one of two"),
    ],
)
def test_a_share_of_the_instances(number: int, total: int, words: str) -> None:
    assert share(number, total) == words


@pytest.mark.parametrize(
    ("error", "quoted"),
    [
        pytest.param(
            "QuotaExceeded: No cores are left.", 'QuotaExceeded ("No cores are left")', id="a sentence"
        ),
        pytest.param(
            "Conflict: Disk web_0: in use", 'Conflict ("Disk web_0: in use")', id="a message with a colon"
        ),
        pytest.param("InternalServerError", "InternalServerError", id="a code without a message"),
    ],
)
def test_the_message_of_azure_is_quoted_without_its_code(error: str, quoted: str) -> None:
    assert quote_error(error) == quoted


@pytest.mark.usefixtures("tokyo")
def test_times_are_in_utc_on_a_machine_that_is_not() -> None:
    assert (time_of_day(NOW), moment(NOW)) == ("09:00:00 UTC", "2026-01-05 09:00 UTC")


@pytest.mark.parametrize(
    ("step", "facts"),
    [
        pytest.param(
            Upgrade(("1", "6"), NEW, names=("web_1", "web_6")),
            ("web_1 and web_6", NEW.version),
            id="an upgrade, by the names of its instances",
        ),
        pytest.param(
            Upgrade(("1", "6"), NEW),
            ("instances 1 and 6", NEW.version),
            id="an upgrade without names, by ids",
        ),
        pytest.param(PatchModel(NEW, '"4"'), (OLD.version, NEW.version), id="a change of the model"),
    ],
)
def test_a_step_names_what_it_changes(step: Step, facts: tuple[str, ...]) -> None:
    said = describe_step(step, OLD)
    assert [fact for fact in facts if fact not in said] == []


def test_a_change_of_a_model_without_an_image_names_the_new_one_alone() -> None:
    step = PatchModel(NEW, '"4"')
    assert describe_step(step, None) == describe_step(step, OLD).replace(f" from {OLD.version}", "")


def test_instances_with_the_same_problem_are_listed_together() -> None:
    stopped = (instance(n, power="stopped") for n in (1, 2, 3, 4))
    listed = [instance(0, health="unhealthy"), instance(5, health="unhealthy"), *stopped]
    assert describe(listed) == "web_0 and web_5 (both unhealthy), web_1 and web_2 (both stopped) and 2 more"
    assert describe(fleet()[:0]) == ""


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"power": "", "health": ""},
            "web_0 and web_1 (both with unknown power state)",
            id="no power state is reported",
        ),
        pytest.param(
            {"health": "unknown"}, "web_0 and web_1 (both with unknown health)", id="their health is unknown"
        ),
        pytest.param(
            {"health": ""}, "web_0 and web_1 (both with no health reported yet)", id="no health is reported"
        ),
    ],
)
def test_a_problem_of_several_instances_reads_as_a_phrase(changes: dict[str, Any], line: str) -> None:
    assert describe(instance(number, **changes) for number in (0, 1)) == line


@pytest.mark.parametrize(
    ("evidence", "doing", "message"),
    [
        pytest.param(
            "no window is open",
            "the next batch",
            "the next batch is waiting because no window is open",
            id="a batch",
        ),
        pytest.param(
            'the check answered "the next batch is too early"',
            "the next batch",
            'the next batch is waiting because the check answered "the next batch is too early"',
            id="a batch that the evidence names",
        ),
        pytest.param(
            "no window is open",
            "the rollout to 1.2.3",
            "the rollout to 1.2.3 is waiting because no window is open",
            id="a rollout",
        ),
        pytest.param(
            "1.2.3 needs approval",
            "the rollout to 1.2.3",
            "the rollout is waiting because 1.2.3 needs approval",
            id="a rollout whose image the evidence names",
        ),
    ],
)
def test_the_message_of_a_closed_gate_names_an_image_once(evidence: str, doing: str, message: str) -> None:
    assert closed_gate_message(Gate("gate", evidence), doing) == message
