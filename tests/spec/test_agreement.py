"""Values that are valid by themselves and conflict with another field, another document or the Fleet."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.spec.amount import Count, Percent
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.fleet import Fleet
from reconciler.spec.suspension import Suspension
from reconciler.spec.urgency import Urgency
from reconciler.spec.window import Kind, Window
from tests.build import FLEET, NEW, NOW, OLD

Lines = Callable[..., list[str]]

SCALE_SET = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {name: NAME}
spec:
  target: {subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: shop, name: NAME}
  image: {platform: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: "24.04.202601140"}}
"""
POLICY = """\
apiVersion: vmss-reconciler/v1alpha1
kind: RolloutPolicy
metadata: {name: careful}
spec: {SETTINGS}
"""
ALL = """\
apiVersion: vmss-reconciler/v1alpha1
kind: Fleet
metadata: {name: fleet}
spec: {SETTINGS}
"""
SATURDAY = '{kind: allow, schedule: "0 2 * * 6", duration: 4h}'
NO_SATURDAY = '{kind: deny, schedule: "0 0 * * 6", duration: 24h}'
MORNING, NOON = (f'{{kind: deny, schedule: "0 {hour} * * *", duration: 12h}}' for hour in (0, 12))


def scale_set(name: str, *settings: str) -> str:
    return SCALE_SET.replace("NAME", name) + "".join(f"  {line}\n" for line in settings)


def policy(settings: str) -> str:
    return POLICY.replace("SETTINGS", settings)


def fleet(settings: str) -> str:
    return ALL.replace("SETTINGS", settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            "rollout: {order: [zone 2, zone 1, zone 2]}",
            ["7:37: spec.rollout.order[2] duplicates order[0]: remove or rename one of the two"],
            id="an order with a duplicate domain",
        ),
        pytest.param(
            "rollout: {by: batch, order: [zone 2]}",
            ["7:31: spec.rollout.order names domains, but by: batch does not use them: remove order, or write by: auto"],
            id="an order of domains with by: batch",
        ),
        pytest.param(
            "rollout: {by: updateDomain, order: [zone 1, fault domain 2]}",
            ['7:47: spec.rollout.order[1] is "fault domain 2", but by: updateDomain does not use fault domains: name another domain'],
            id="an order with fault domains and by: updateDomain",
        ),
        pytest.param(
            'rollout: {by: zone, order: ["zone 1, fault domain 2"]}',
            ['7:31: spec.rollout.order[0] is "zone 1, fault domain 2", but by: zone does not use fault domains: name another domain'],
            id="an order with fault domains in a zone and by: zone",
        ),
        pytest.param(
            "rollout: {by: faultDomain, order: [update domain 0]}",
            ['7:38: spec.rollout.order[0] is "update domain 0", but by: faultDomain does not use update domains: name another domain'],
            id="an order with update domains and by: faultDomain",
        ),
        pytest.param(
            "rollout: {by: zone, order: [zone 1, update domain 2]}", [], id="an order with update domains and by: zone"
        ),
        pytest.param("rollout: {order: [fault domain 2, update domain 1]}", [], id="an order with any domains and by: auto"),
        pytest.param(
            "rollout: {checks: [{name: a, http: {url: https://a.example/}}, {name: a, http: {url: https://b.example/}}]}",
            ["7:73: spec.rollout.checks[1].name duplicates checks[0]: remove or rename one of the two"],
            id="two checks with the same name",
        ),
        pytest.param(
            f"rollout: {{windows: [{SATURDAY}, {NO_SATURDAY}]}}",
            [
                "7:23: spec.rollout.windows[0] never opens, because windows[1] covers it: move or shorten one of the two"
            ],
            id="a window that one deny window covers",
        ),
        pytest.param(
            f"rollout: {{windows: [{MORNING}, {NOON}, {SATURDAY.replace('4h', '48h')}]}}",
            [
                "7:128: spec.rollout.windows[2] never opens, because the deny windows cover it: move or shorten one of them"
            ],
            id="a window that two deny windows cover together",
        ),
        pytest.param(
            f"rollout: {{windows: [{MORNING}, {NOON}]}}",
            [
                "7:22: spec.rollout.windows leave no time for a rollout: shorten them"
            ],
            id="deny windows that cover the whole day",
        ),
        pytest.param(
            'rollout: {windows: [{kind: allow, schedule: "0 0 * 2 1#5", duration: 1h}]}',
            ["7:23: spec.rollout.windows[0] opens less than once in four years: name another day"],
            id="a window on a day that occurs less than once in four years",
        ),
        pytest.param(f"rollout: {{windows: [{MORNING}, {SATURDAY.replace('4h', '48h')}]}}", [], id="a window that a deny window covers only in the morning"),
        pytest.param(
            "rollout: {deadline: 30m, canary: {instances: 1, soak: 30m}}",
            ["7:23: spec.rollout.deadline is not longer than the soak of 30m: write a longer deadline"],
            id="a deadline that equals the soak of the canary",
        ),
        pytest.param("rollout: {deadline: 31m, canary: {instances: 1, soak: 30m}, soak: 5m}", [], id="a deadline that is longer than every soak"),
        pytest.param(
            "dependsOn: [web]", ["7:15: spec.dependsOn[0] is the name of this scale set itself: remove it"], id="a dependency on itself"
        ),
        pytest.param(
            "dependsOn: [db, db]",
            ["7:19: spec.dependsOn[1] duplicates dependsOn[0]: remove or rename one of the two"],
            id="a duplicate dependency",
        ),
        pytest.param(
            "dependsOn: [db, dbb, cache]",
            [
                '7:19: spec.dependsOn[1] names the ScaleSet "dbb", which does not exist: did you mean db (db.yaml:1:1)?',
                '7:24: spec.dependsOn[2] names the ScaleSet "cache", which does not exist: use db',
            ],
            id="dependencies that are not declared",
        ),
        pytest.param("dependsOn: [db]", [], id="a dependency that is declared"),
    ],
)  # fmt: skip
def test_conflicts_between_fields_of_one_scale_set(lines: Lines, settings: str, expected: list[str]) -> None:
    assert lines(web=scale_set("web", settings), db=scale_set("db")) == [
        f"web.yaml:{line}" for line in expected
    ]


def test_invalid_fields_are_left_out_of_the_rules_between_fields(lines: Lines) -> None:
    settings = f"rollout: {{by: batches, order: [zone 1, zone 1], windows: [{SATURDAY}, {NO_SATURDAY.replace('24h', '24')}]}}"
    printed = lines(web=scale_set("web", settings))
    assert [line.split(": ")[1].split()[0] for line in printed] == [
        "spec.rollout.by",
        "spec.rollout.order[1]",
        "spec.rollout.windows[1].duration",
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, by: faultDomain}"),
                "policies": policy("order: [update domain 1]"),
            },
            [
                'web.yaml:7:21: spec.rollout.policy does not fit here: its order[0] is "update domain 1", but by: faultDomain does not'
                " use update domains: name another domain"
            ],
            id="an order in the policy that conflicts with by in the scale set",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, order: [update domain 1]}"),
                "policies": policy("by: faultDomain"),
            },
            [
                'web.yaml:7:38: spec.rollout.order[0] is "update domain 1", but by: faultDomain does not use update domains:'
                " name another domain"
            ],
            id="an order in the scale set that conflicts with by in the policy",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, by: faultDomain, order: [fault domain 1]}"),
                "policies": policy("by: updateDomain"),
            },
            [],
            id="a field of the policy that the scale set overrides is not checked",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, deadline: 5m}"),
                "policies": policy("soak: 10m"),
            },
            ["web.yaml:7:40: spec.rollout.deadline is not longer than the soak of 10m: write a longer deadline"],
            id="a deadline that is shorter than the soak of the policy",
        ),
        pytest.param(
            {
                "web": scale_set("web", f"rollout: {{windows: [{SATURDAY}]}}"),
                "fleet": fleet(f"windows: [{NO_SATURDAY}]"),
            },
            ["web.yaml:7:23: spec.rollout.windows[0] never opens, because deny windows of the Fleet cover it: move it"],
            id="a window that a deny window of the Fleet covers",
        ),
        pytest.param(
            {
                "web": scale_set("web", f"rollout: {{windows: [{SATURDAY}]}}"),
                "fleet": fleet(f"windows: [{SATURDAY.replace('* 6', '* 2')}, {NO_SATURDAY}]"),
            },
            ["web.yaml:7:23: spec.rollout.windows[0] never opens, because deny windows of the Fleet cover it: move it"],
            id="a window that a deny window of a Fleet with allow windows covers",
        ),
        pytest.param(
            {"web": scale_set("web", "rollout: {approver: another}")},
            [
                "web.yaml:7:23: spec.rollout.approver is another, but no approval is required: add approval: "
                "canary, or start"
            ],
            id="an approver without an approval",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful}"),
                "policies": policy("approver: another"),
            },
            [
                "web.yaml:7:21: spec.rollout.policy does not fit here: its approver is another, but no approval is required: "
                "add approval: canary, or start"
            ],
            id="an approver in the policy without an approval",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, approval: canary}"),
                "policies": policy("approver: another"),
            },
            [],
            id="an approver in the policy with an approval in the scale set",
        ),
        pytest.param(
            {"web": scale_set("web", "rollout: {approver: anyone}")}, [], id="the approver anyone without an approval"
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful}"),
                "policies": policy(f"windows: [{SATURDAY}]"),
                "fleet": fleet(f"windows: [{NO_SATURDAY}]"),
            },
            [
                "web.yaml:7:21: spec.rollout.policy does not fit here: its windows[0] never opens, because deny windows of the"
                " Fleet cover it: move it"
            ],
            id="a window in the policy that a deny window of the Fleet covers",
        ),
        pytest.param(
            {
                "web": scale_set("web", f"rollout: {{windows: [{MORNING}]}}"),
                "fleet": fleet(f"windows: [{NOON}]"),
            },
            [
                "web.yaml:7:22: spec.rollout.windows leave no time for a rollout: shorten them"
            ],
            id="deny windows of the scale set and the Fleet that cover the whole day",
        ),
        pytest.param(
            {"web": scale_set("web"), "fleet": fleet(f"windows: [{SATURDAY}, {NO_SATURDAY}]")},
            ["fleet.yaml:4:18: spec.windows[0] never opens, because windows[1] covers it: move or shorten one of the two"],
            id="an error of the Fleet itself is reported once",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful}"),
                "api": scale_set("api", "rollout: {policy: careful}"),
                "policies": policy("by: batch, order: [zone 1]"),
            },
            ["policies.yaml:4:26: spec.order names domains, but by: batch does not use them: remove order, or write by: auto"],
            id="an error of the policy itself is reported once",
        ),
        pytest.param(
            {"a": scale_set("a", "dependsOn: [b]"), "b": scale_set("b", "dependsOn: [c]"), "c": scale_set("c", "dependsOn: [a]")},
            [
                "a.yaml:7:15: spec.dependsOn[0] is part of a dependency cycle, in which a waits for b (dependsOn),"
                " b waits for c (dependsOn), c waits for a (dependsOn): remove or change one of these"
            ],
            id="a cycle of three dependencies",
        ),
        pytest.param(
            {"web": scale_set("web", "dependsOn: [db]"), "db": scale_set("db", "wave: 2")},
            [
                "web.yaml:7:15: spec.dependsOn[0] is part of a dependency cycle, in which db waits for web (wave 2"
                " after wave 0 of the same image), web waits for db (dependsOn): remove or change one of these"
            ],
            id="a cycle of a dependency and a wave",
        ),
        pytest.param(
            {"web": scale_set("web", "dependsOn: [db]"), "db": scale_set("db", "wave: 2").replace("140", "141")},
            [],
            id="waves of different images do not form a cycle",
        ),
    ],
)  # fmt: skip
def test_conflicts_between_documents(lines: Lines, texts: dict[str, str], expected: list[str]) -> None:
    assert lines(**texts) == expected


def test_scale_sets_with_conflicts_are_not_declared() -> None:
    texts = [
        scale_set("a", "dependsOn: [b]"),
        scale_set("b", "dependsOn: [a]"),
        scale_set("c", "dependsOn: [gone]"),
        scale_set("d", "rollout: {policy: careful, by: faultDomain}"),
        scale_set("e", "dependsOn: [a]"),
        policy("order: [update domain 1]"),
    ]
    declared = declare([File(str(number), text.encode()) for number, text in enumerate(texts)])
    assert [each.name for each in declared.scale_sets] == ["e"]
    assert len(declared.problems) == 3


FLEET_SETTINGS = """\
freeze: {reason: year-end, by: ada, until: "2026-01-05T09:00Z"}, maxConcurrentRollouts: 2, maxChange: 50%,
  windows: [{kind: deny, schedule: "0 0 24 12 *", duration: 24h}]"""


URGENT = """\
urgent: {image: {platform: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: "24.04.202601140"}},
  reason: CVE-1, by: ada, until: "2026-01-05T18:00Z"}""".replace(",\n ", ",")


def declared_fleet(*others: str) -> list[Fleet]:
    files = [File(f"{number}.yaml", text.encode()) for number, text in enumerate((scale_set("web"), *others))]
    return [each.fleet for each in declare(files).scale_sets]


def test_the_settings_of_a_fleet_apply_to_every_scale_set(lines: Lines) -> None:
    day = 24 * 60 * 60
    (found,) = declared_fleet(fleet(FLEET_SETTINGS))
    assert lines(web=scale_set("web"), fleet=fleet(FLEET_SETTINGS)) == []
    assert found.freeze == Suspension("year-end", "ada", NOW)
    assert [
        (each.kind, each.schedule, each.duration.total_seconds(), each.zone) for each in found.windows
    ] == [(Kind.DENY, "0 0 24 12 *", day, "UTC")]
    assert (found.max_concurrent, found.max_change) == (Count(2), Percent(50))


def test_a_fleet_declares_an_urgent_image() -> None:
    (found,) = declared_fleet(fleet(URGENT))
    urgent = Urgency(NEW, "CVE-1", NOW + timedelta(hours=9), "ada")
    assert found.urgent == urgent
    last = urgent.until - timedelta(seconds=1)
    assert (found.urgency(NEW, last), found.urgency(NEW, urgent.until)) == (urgent, None)
    assert found.urgency(OLD, last) is None


@pytest.mark.parametrize(("freeze", "expected"), [("true", Suspension()), ("false", None)])
def test_a_freeze_may_be_a_boolean(freeze: str, expected: Suspension | None) -> None:
    assert [each.freeze for each in declared_fleet(fleet(f"freeze: {freeze}"))] == [expected]


def test_an_empty_fleet_equals_the_defaults_except_for_its_name() -> None:
    assert declared_fleet() == [FLEET]
    assert declared_fleet(fleet("")) == [replace(FLEET, name="fleet")]


@pytest.mark.parametrize(
    ("others", "name"),
    [
        pytest.param([], "", id="no Fleet"),
        pytest.param([fleet("").replace("name: fleet", "name: shop")], "shop", id="one Fleet"),
        pytest.param(
            [fleet("freeze: 1").replace("name: fleet", "name: shop")], "", id="a Fleet with an error"
        ),
    ],
)
def test_the_name_of_the_fleet_is_declared_without_scale_sets(others: list[str], name: str) -> None:
    files = [File(f"{number}.yaml", text.encode()) for number, text in enumerate(others)]
    assert declare(files).fleet == name


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            "freeze: {by: ada}", "4:8: spec.freeze.reason is missing: add reason: year-end freeze", id="a freeze without a reason"
        ),
        pytest.param(
            'freeze: {reason: " "}',
            '4:25: spec.freeze.reason " " is empty: write why the fleet is frozen',
            id="a freeze with a blank reason",
        ),
        pytest.param(
            'freeze: {reason: x, until: "2026-02-30T09:00Z"}',
            '4:35: spec.freeze.until "2026-02-30T09:00Z" is not a valid time: write a time such as "2026-01-31T18:00Z"',
            id="a freeze until 30 February",
        ),
        pytest.param(
            "freeze: yes",
            '4:16: spec.freeze "yes" is a string to some YAML readers: write freeze: true',
            id="yes instead of true",
        ),
        pytest.param(
            "maxChange: 0",
            "4:19: spec.maxChange is 0, which would block every rollout, which is what freeze does: write 1 or more, or a percentage"
            " such as 20%",
            id="a maxChange of 0",
        ),
        pytest.param(
            "maxConcurrentRollouts: 120%",
            '4:31: spec.maxConcurrentRollouts "120%" is more than all scale sets: write 100% or less',
            id="more than 100%",
        ),
        pytest.param(
            "maxBatch: 5",
            "4:8: spec.maxBatch is not a known field: expected freeze, windows, maxConcurrentRollouts, maxChange, maxFailedRollouts, pauseTag, urgent, barredCommands, tenants or allowUnprovenWave",
            id="a field of a rollout",
        ),
        pytest.param(
            '"0": {}',
            '4:8: spec.0 is not a known field: expected freeze, windows, maxConcurrentRollouts, maxChange, maxFailedRollouts, pauseTag, urgent, barredCommands, tenants or allowUnprovenWave',
            id="a field named 0",
        ),
        pytest.param(
            "windows: [{kind: deny, schedule: daily, duration: 1h}]",
            '4:41: spec.windows[0].schedule "daily" has one field, but a cron schedule has five: minute, hour, day of the month, month'
            ' and day of the week, such as "0 2 * * 6"',
            id="an invalid schedule",
        ),
        pytest.param(
            URGENT.replace("24.04.202601140", "latest"),
            "4:24: spec.urgent.image has the version latest: name the exact version that is urgent",
            id="an urgent image with the version latest",
        ),
        pytest.param(
            URGENT.replace(', until: "2026-01-05T18:00Z"', ""),
            '4:8: spec.urgent.until is missing: add until: "2027-01-02T18:00Z"',
            id="an urgent image without an end",
        ),
        pytest.param(
            URGENT.replace("01-05T18", "02-30T18"),
            '4:157: spec.urgent.until "2026-02-30T18:00Z" is not a valid time: write a time such as "2026-01-31T18:00Z"',
            id="an urgent image until 30 February",
        ),
        pytest.param(
            "urgent: {image: {ref: base}, reason: x, until: \"2026-01-05T18:00Z\"}",
            "4:25: spec.urgent.image.ref is not a known field: expected platform, gallery, communityGallery, sharedGallery,"
            " managed or vhd",
            id="an urgent image that is a reference",
        ),
    ],
)  # fmt: skip
def test_an_error_in_a_fleet_is_reported_and_nothing_is_declared(
    lines: Lines, settings: str, expected: str
) -> None:
    assert lines(web=scale_set("web"), fleet=fleet(settings)) == [f"fleet.yaml:{expected}"]
    assert declared_fleet(fleet(settings)) == [], "without a valid Fleet no scale set is declared"


def test_a_second_fleet_is_an_error(lines: Lines) -> None:
    expected = [
        "fleet.yaml:1:1: the document is a second Fleet, in addition to the one in all.yaml:1:1: keep one of the two"
    ]
    assert lines(all=fleet("maxChange: 1"), fleet=fleet("maxChange: 2")) == expected
    assert (
        declared_fleet(fleet("maxChange: 1"), fleet("maxChange: 2").replace("name: fleet", "name: other"))
        == []
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("maxChange: 1", "Fleet"),
        ("windows: [], freeze: true", "Fleet"),
        ("windows: [], by: zone", "RolloutPolicy"),
        ("wave: 2", "ScaleSet"),
        ("windows: []", "ScaleSet, or kind: Image for an image that scale sets share"),
    ],
)
def test_a_missing_kind_is_guessed_from_fields_that_only_one_kind_has(
    lines: Lines, settings: str, expected: str
) -> None:
    assert (
        lines(x=fleet(settings).replace("kind: Fleet\n", ""))[0]
        == f"x.yaml:1:1: kind is missing: add kind: {expected}"
    )


def test_a_window_without_a_time_zone_is_in_utc() -> None:
    text = scale_set("web", f"rollout: {{windows: [{SATURDAY}]}}")
    (web,) = declare([File("web.yaml", text.encode())]).scale_sets
    assert [each.zone for each in web.rollout.windows] == ["UTC"]
    assert all(isinstance(each, Window) for each in web.rollout.windows)
