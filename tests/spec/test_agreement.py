"""What is right by itself and wrong beside another field, another document, or the whole fleet."""

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
spec: {SAID}
"""
ALL = """\
apiVersion: vmss-reconciler/v1alpha1
kind: Fleet
metadata: {name: fleet}
spec: {SAID}
"""
SATURDAY = '{kind: allow, schedule: "0 2 * * 6", duration: 4h}'
NO_SATURDAY = '{kind: deny, schedule: "0 0 * * 6", duration: 24h}'
MORNING, NOON = (f'{{kind: deny, schedule: "0 {hour} * * *", duration: 12h}}' for hour in (0, 12))


def scale_set(name: str, *said: str) -> str:
    return SCALE_SET.replace("NAME", name) + "".join(f"  {line}\n" for line in said)


def policy(said: str) -> str:
    return POLICY.replace("SAID", said)


def fleet(said: str) -> str:
    return ALL.replace("SAID", said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            "rollout: {order: [zone 2, zone 1, zone 2]}",
            ["7:37: spec.rollout.order[2]: duplicates order[0]: remove or rename one of the two"],
            id="a domain twice",
        ),
        pytest.param(
            "rollout: {by: batch, order: [zone 2]}",
            ["7:31: spec.rollout.order: names domains, but by: batch does not use them: remove order, or write by: auto"],
            id="domains where the rollout goes by none",
        ),
        pytest.param(
            "rollout: {by: updateDomain, order: [zone 1, fault domain 2]}",
            ['7:47: spec.rollout.order[1]: is "fault domain 2", but by: updateDomain does not use fault domains: name another domain'],
            id="a domain of another kind",
        ),
        pytest.param(
            'rollout: {by: zone, order: ["zone 1, fault domain 2"]}',
            ['7:31: spec.rollout.order[0]: is "zone 1, fault domain 2", but by: zone does not use fault domains: name another domain'],
            id="a domain of another kind within a zone",
        ),
        pytest.param(
            "rollout: {by: faultDomain, order: [update domain 0]}",
            ['7:38: spec.rollout.order[0]: is "update domain 0", but by: faultDomain does not use update domains: name another domain'],
            id="an update domain where it goes by fault domains",
        ),
        pytest.param(
            "rollout: {by: zone, order: [zone 1, update domain 2]}", [], id="an update domain within zones"
        ),
        pytest.param("rollout: {order: [fault domain 2, update domain 1]}", [], id="any domain, by auto"),
        pytest.param(
            "rollout: {checks: [{name: a, http: {url: https://a.example/}}, {name: a, http: {url: https://b.example/}}]}",
            ["7:73: spec.rollout.checks[1].name: duplicates checks[0]: remove or rename one of the two"],
            id="two checks of one name",
        ),
        pytest.param(
            f"rollout: {{windows: [{SATURDAY}, {NO_SATURDAY}]}}",
            [
                "7:23: spec.rollout.windows[0]: never opens, because windows[1] covers it: move or shorten one of the two"
            ],
            id="a window that another one closes",
        ),
        pytest.param(
            f"rollout: {{windows: [{MORNING}, {NOON}, {SATURDAY.replace('4h', '48h')}]}}",
            [
                "7:128: spec.rollout.windows[2]: never opens, because the deny windows cover it: move or shorten one of them"
            ],
            id="a window that others close together",
        ),
        pytest.param(
            f"rollout: {{windows: [{MORNING}, {NOON}]}}",
            [
                "7:22: spec.rollout.windows: leave no time for a rollout: shorten them"
            ],
            id="windows that deny all of the time",
        ),
        pytest.param(
            'rollout: {windows: [{kind: allow, schedule: "0 0 * 2 1#5", duration: 1h}]}',
            ["7:23: spec.rollout.windows[0]: opens less than once in four years: name another day"],
            id="a day that hardly ever comes",
        ),
        pytest.param(f"rollout: {{windows: [{MORNING}, {SATURDAY.replace('4h', '48h')}]}}", [], id="an afternoon is left"),
        pytest.param(
            "rollout: {deadline: 30m, canary: {instances: 1, soak: 30m}}",
            ["7:23: spec.rollout.deadline: is not longer than the soak of 30m: write a longer deadline"],
            id="a rollout that ends before its canary does",
        ),
        pytest.param("rollout: {deadline: 31m, canary: {instances: 1, soak: 30m}, soak: 5m}", [], id="one that does not"),
        pytest.param(
            "dependsOn: [web]", ["7:15: spec.dependsOn[0]: is the name of this scale set itself: remove it"], id="itself"
        ),
        pytest.param(
            "dependsOn: [db, db]",
            ["7:19: spec.dependsOn[1]: duplicates dependsOn[0]: remove or rename one of the two"],
            id="another one twice",
        ),
        pytest.param(
            "dependsOn: [db, dbb, cache]",
            [
                '7:19: spec.dependsOn[1]: there is no ScaleSet named "dbb": did you mean db (db.yaml:1:1)?',
                '7:24: spec.dependsOn[2]: there is no ScaleSet named "cache": use db',
            ],
            id="others that are not there",
        ),
        pytest.param("dependsOn: [db]", [], id="another one"),
    ],
)  # fmt: skip
def test_in_one_scale_set(lines: Lines, said: str, expected: list[str]) -> None:
    assert lines(web=scale_set("web", said), db=scale_set("db")) == [f"web.yaml:{line}" for line in expected]


def test_nothing_is_said_of_fields_that_are_wrong_by_themselves(lines: Lines) -> None:
    said = f"rollout: {{by: batches, order: [zone 1, zone 1], windows: [{SATURDAY}, {NO_SATURDAY.replace('24h', '24')}]}}"
    printed = lines(web=scale_set("web", said))
    assert [line.split(": ")[1] for line in printed] == [
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
                'web.yaml:7:21: spec.rollout.policy: order[0] of this policy is "update domain 1", but by: faultDomain does not'
                " use update domains: name another domain"
            ],
            id="the order of a policy does not fit",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, order: [update domain 1]}"),
                "policies": policy("by: faultDomain"),
            },
            [
                'web.yaml:7:38: spec.rollout.order[0]: is "update domain 1", but by: faultDomain does not use update domains:'
                " name another domain"
            ],
            id="an order does not fit a policy",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, by: faultDomain, order: [fault domain 1]}"),
                "policies": policy("by: updateDomain"),
            },
            [],
            id="what goes before a policy is judged, and not what stands behind",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, deadline: 5m}"),
                "policies": policy("soak: 10m"),
            },
            ["web.yaml:7:40: spec.rollout.deadline: is not longer than the soak of 10m: write a longer deadline"],
            id="a deadline before the soak of a policy",
        ),
        pytest.param(
            {
                "web": scale_set("web", f"rollout: {{windows: [{SATURDAY}]}}"),
                "fleet": fleet(f"windows: [{NO_SATURDAY}]"),
            },
            ["web.yaml:7:23: spec.rollout.windows[0]: never opens, because deny windows of the Fleet cover it: move it"],
            id="a window that the fleet closes",
        ),
        pytest.param(
            {
                "web": scale_set("web", f"rollout: {{windows: [{SATURDAY}]}}"),
                "fleet": fleet(f"windows: [{SATURDAY.replace('* 6', '* 2')}, {NO_SATURDAY}]"),
            },
            ["web.yaml:7:23: spec.rollout.windows[0]: never opens, because deny windows of the Fleet cover it: move it"],
            id="a window that the fleet closes, which opens on another day",
        ),
        pytest.param(
            {"web": scale_set("web", "rollout: {approver: another}")},
            [
                "web.yaml:7:23: spec.rollout.approver: is another, but no approval is required: add approval: "
                "canary, or start"
            ],
            id="an approver where nobody is asked",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful}"),
                "policies": policy("approver: another"),
            },
            [
                "web.yaml:7:21: spec.rollout.policy: approver of this policy is another, but no approval is required: "
                "add approval: canary, or start"
            ],
            id="a policy's approver where nobody is asked",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful, approval: canary}"),
                "policies": policy("approver: another"),
            },
            [],
            id="a policy's approver where its scale set asks",
        ),
        pytest.param(
            {"web": scale_set("web", "rollout: {approver: anyone}")}, [], id="anyone where nobody is asked"
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful}"),
                "policies": policy(f"windows: [{SATURDAY}]"),
                "fleet": fleet(f"windows: [{NO_SATURDAY}]"),
            },
            [
                "web.yaml:7:21: spec.rollout.policy: windows[0] of this policy never opens, because deny windows of the"
                " Fleet cover it: move it"
            ],
            id="a policy's window that the fleet closes",
        ),
        pytest.param(
            {
                "web": scale_set("web", f"rollout: {{windows: [{MORNING}]}}"),
                "fleet": fleet(f"windows: [{NOON}]"),
            },
            [
                "web.yaml:7:22: spec.rollout.windows: leave no time for a rollout: shorten them"
            ],
            id="half a day each",
        ),
        pytest.param(
            {"web": scale_set("web"), "fleet": fleet(f"windows: [{SATURDAY}, {NO_SATURDAY}]")},
            ["fleet.yaml:4:18: spec.windows[0]: never opens, because windows[1] covers it: move or shorten one of the two"],
            id="a mistake of the fleet's own is told once",
        ),
        pytest.param(
            {
                "web": scale_set("web", "rollout: {policy: careful}"),
                "api": scale_set("api", "rollout: {policy: careful}"),
                "policies": policy("by: batch, order: [zone 1]"),
            },
            ["policies.yaml:4:26: spec.order: names domains, but by: batch does not use them: remove order, or write by: auto"],
            id="a mistake of the policy's own is told once",
        ),
        pytest.param(
            {"a": scale_set("a", "dependsOn: [b]"), "b": scale_set("b", "dependsOn: [c]"), "c": scale_set("c", "dependsOn: [a]")},
            [
                "a.yaml:7:15: spec.dependsOn[0]: is part of a dependency cycle: a waits for b (dependsOn),"
                " b waits for c (dependsOn), c waits for a (dependsOn); remove or change one of these"
            ],
            id="three that wait for each other",
        ),
        pytest.param(
            {"web": scale_set("web", "dependsOn: [db]"), "db": scale_set("db", "wave: 2")},
            [
                "web.yaml:7:15: spec.dependsOn[0]: is part of a dependency cycle: db waits for web (wave 2"
                " after wave 0 of the same image), web waits for db (dependsOn); remove or change one of these"
            ],
            id="two that wait for each other by a wave",
        ),
        pytest.param(
            {"web": scale_set("web", "dependsOn: [db]"), "db": scale_set("db", "wave: 2").replace("140", "141")},
            [],
            id="waves of other images are others",
        ),
    ],
)  # fmt: skip
def test_between_documents(lines: Lines, texts: dict[str, str], expected: list[str]) -> None:
    assert lines(**texts) == expected


def test_those_with_a_mistake_between_them_are_not_declared() -> None:
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


SAID = """\
freeze: {reason: year-end, by: ada, until: "2026-01-05T09:00Z"}, maxConcurrentRollouts: 2, maxChange: 50%,
  windows: [{kind: deny, schedule: "0 0 24 12 *", duration: 24h}]"""


URGENT = """\
urgent: {image: {platform: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: "24.04.202601140"}},
  reason: CVE-1, by: ada, until: "2026-01-05T18:00Z"}""".replace(",\n ", ",")


def declared_fleet(*others: str) -> list[Fleet]:
    files = [File(f"{number}.yaml", text.encode()) for number, text in enumerate((scale_set("web"), *others))]
    return [each.fleet for each in declare(files).scale_sets]


def test_a_fleet_holds_for_every_scale_set(lines: Lines) -> None:
    day = 24 * 60 * 60
    (found,) = declared_fleet(fleet(SAID))
    assert lines(web=scale_set("web"), fleet=fleet(SAID)) == []
    assert found.freeze == Suspension("year-end", "ada", NOW)
    assert [
        (each.kind, each.schedule, each.duration.total_seconds(), each.zone) for each in found.windows
    ] == [(Kind.DENY, "0 0 24 12 *", day, "UTC")]
    assert (found.max_concurrent, found.max_change) == (Count(2), Percent(50))


def test_a_fleet_says_which_image_is_urgent() -> None:
    (found,) = declared_fleet(fleet(URGENT))
    urgent = Urgency(NEW, "CVE-1", NOW + timedelta(hours=9), "ada")
    assert found.urgent == urgent
    last = urgent.until - timedelta(seconds=1)
    assert (found.urgency(NEW, last), found.urgency(NEW, urgent.until)) == (urgent, None)
    assert found.urgency(OLD, last) is None


@pytest.mark.parametrize(("freeze", "expected"), [("true", Suspension()), ("false", None)])
def test_a_fleet_is_frozen_without_a_word(freeze: str, expected: Suspension | None) -> None:
    assert [each.freeze for each in declared_fleet(fleet(f"freeze: {freeze}"))] == [expected]


def test_an_empty_fleet_is_none_but_for_its_name() -> None:
    assert declared_fleet() == [FLEET]
    assert declared_fleet(fleet("")) == [replace(FLEET, name="fleet")]


@pytest.mark.parametrize(
    ("others", "name"),
    [
        pytest.param([], "", id="none is declared"),
        pytest.param([fleet("").replace("name: fleet", "name: shop")], "shop", id="one is"),
        pytest.param([fleet("freeze: 1").replace("name: fleet", "name: shop")], "", id="one with a mistake"),
    ],
)
def test_a_fleet_is_named_with_or_without_scale_sets(others: list[str], name: str) -> None:
    files = [File(f"{number}.yaml", text.encode()) for number, text in enumerate(others)]
    assert declare(files).fleet == name


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            "freeze: {by: ada}", "4:8: spec.freeze.reason: is missing: add reason: year-end freeze", id="no reason"
        ),
        pytest.param(
            'freeze: {reason: " "}',
            '4:25: spec.freeze.reason: " " is empty: write why the fleet is frozen',
            id="a reason of nothing",
        ),
        pytest.param(
            'freeze: {reason: x, until: "2026-02-30T09:00Z"}',
            '4:35: spec.freeze.until: "2026-02-30T09:00Z" is not a valid time: write a time such as "2026-01-31T18:00Z"',
            id="a day that no month has",
        ),
        pytest.param(
            "freeze: yes",
            '4:16: spec.freeze: "yes" is a string to some YAML readers: write freeze: true',
            id="yes for true",
        ),
        pytest.param(
            "maxChange: 0",
            "4:19: spec.maxChange: 0 would block every rollout, which is what freeze does: write 1 or more, or a percentage"
            " such as 20%",
            id="no change",
        ),
        pytest.param(
            "maxConcurrentRollouts: 120%",
            '4:31: spec.maxConcurrentRollouts: "120%" is more than all scale sets: write 100% or less',
            id="more than all",
        ),
        pytest.param(
            "maxBatch: 5",
            "4:8: spec.maxBatch: unknown field: expected freeze, windows, maxConcurrentRollouts, maxChange, maxFailedRollouts, urgent or allowUnprovenWave",
            id="what belongs to a rollout",
        ),
        pytest.param(
            '"0": {}',
            '4:8: spec.0: unknown field: expected freeze, windows, maxConcurrentRollouts, maxChange, maxFailedRollouts, urgent or allowUnprovenWave',
            id="an index is no field",
        ),
        pytest.param(
            "windows: [{kind: deny, schedule: daily, duration: 1h}]",
            '4:41: spec.windows[0].schedule: "daily" has one field, but a cron schedule has five: minute, hour, day of the month, month'
            ' and day of the week, such as "0 2 * * 6"',
            id="a schedule that is none",
        ),
        pytest.param(
            URGENT.replace("24.04.202601140", "latest"),
            "4:24: spec.urgent.image: has the version latest: name the exact version that is urgent",
            id="the latest version is urgent, whatever that is",
        ),
        pytest.param(
            URGENT.replace(', until: "2026-01-05T18:00Z"', ""),
            '4:8: spec.urgent.until: is missing: add until: "2027-01-02T18:00Z"',
            id="urgent for ever",
        ),
        pytest.param(
            URGENT.replace("01-05T18", "02-30T18"),
            '4:157: spec.urgent.until: "2026-02-30T18:00Z" is not a valid time: write a time such as "2026-01-31T18:00Z"',
            id="urgent until a day that no month has",
        ),
        pytest.param(
            "urgent: {image: {ref: base}, reason: x, until: \"2026-01-05T18:00Z\"}",
            "4:25: spec.urgent.image.ref: unknown field: expected platform, gallery, communityGallery, sharedGallery,"
            " managed or vhd",
            id="an image that may come to be another one",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_fleet(lines: Lines, said: str, expected: str) -> None:
    assert lines(web=scale_set("web"), fleet=fleet(said)) == [f"fleet.yaml:{expected}"]
    assert declared_fleet(fleet(said)) == [], "nothing is declared while nobody knows what holds for all"


def test_two_fleets_name_each_other(lines: Lines) -> None:
    expected = [
        "fleet.yaml:1:1: is a second Fleet, in addition to the one in all.yaml:1:1: keep one of the two"
    ]
    assert lines(all=fleet("maxChange: 1"), fleet=fleet("maxChange: 2")) == expected
    assert (
        declared_fleet(fleet("maxChange: 1"), fleet("maxChange: 2").replace("name: fleet", "name: other"))
        == []
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("maxChange: 1", "Fleet"),
        ("windows: [], freeze: true", "Fleet"),
        ("windows: [], by: zone", "RolloutPolicy"),
        ("wave: 2", "ScaleSet"),
        ("windows: []", "ScaleSet, or kind: Image for an image that scale sets share"),
    ],
)
def test_a_kind_that_is_missing_is_guessed_by_what_it_alone_has(
    lines: Lines, said: str, expected: str
) -> None:
    assert (
        lines(x=fleet(said).replace("kind: Fleet\n", ""))[0]
        == f"x.yaml:1:1: kind: is missing: add kind: {expected}"
    )


def test_a_window_without_a_zone_is_in_utc() -> None:
    text = scale_set("web", f"rollout: {{windows: [{SATURDAY}]}}")
    (web,) = declare([File("web.yaml", text.encode())]).scale_sets
    assert [each.zone for each in web.rollout.windows] == ["UTC"]
    assert all(isinstance(each, Window) for each in web.rollout.windows)
