"""Written specs are read back unchanged and look like the examples."""

from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.spec.amount import Count, Percent
from reconciler.spec.check import HttpCheck, PrometheusCheck
from reconciler.spec.declaration import fleet_text, minimal_scale_set, scale_set_text
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.image import (
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    VhdImage,
)
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import (
    Approval,
    Approver,
    By,
    Canary,
    Converge,
    CustomizedInstances,
    Health,
    OnFailure,
    Rollout,
    ScaleSet,
    Target,
)
from reconciler.spec.suspension import Suspension
from reconciler.spec.window import Kind, Window
from tests.build import FIX, FLEET, SUBSCRIPTION, rollout, spec

FILE = "specs/web.yaml"
SCHEMA = "../schemas/scale-set.schema.json"
WEB = Target(SUBSCRIPTION, "shop", "web")
OTHERS = ("db", "cache")  # possible dependencies
PLATFORM = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601140")
IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"

# Valid names that some YAML readers take for another value.
ODD = st.sampled_from(
    ["on", "No", "null", "1e3", "0x1f", "007", "2024-01-01", "1_000", "12", "y", "1.5", "_a"]
)
WORD = st.from_regex(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,20}[A-Za-z0-9])?", fullmatch=True)
GROUP = st.from_regex(r"[-_().A-Za-z0-9é]{0,20}[-_()A-Za-z0-9é]", fullmatch=True)
PUBLISHED = st.from_regex(r"[!-.0-9;-~]{1,20}", fullmatch=True)
VERSION = st.one_of(st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,9}", fullmatch=True), st.just("latest"))
PART = st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9._()]{0,20}", fullmatch=True)
IMAGE: st.SearchStrategy[Image] = st.one_of(
    st.builds(PlatformImage, PUBLISHED, PUBLISHED, PUBLISHED, VERSION),
    st.builds("{0}/galleries/{1}/images/{2}/versions/{3}".format, st.just(IMAGES), PART, PART, VERSION).map(
        GalleryImage
    ),
    st.builds("/CommunityGalleries/{}/Images/{}/Versions/{}".format, PART, PART, VERSION).map(
        CommunityGalleryImage
    ),
    st.builds("/SharedGalleries/{}/Images/{}/Versions/{}".format, PART, PART, VERSION).map(
        SharedGalleryImage
    ),
    st.builds("{}/images/{}".format, st.just(IMAGES), PART).map(ManagedImage),
    st.builds("https://{}.blob.core.windows.net/{}/b.vhd".format, st.just("shop"), PART).map(VhdImage),
)


def lengths(
    least: timedelta, most: timedelta, unit: timedelta = timedelta(seconds=1)
) -> st.SearchStrategy[timedelta]:
    return st.integers(least // unit, most // unit).map(lambda count: count * unit)


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WHOLE = lengths(MINUTE, 24 * HOUR)
AMOUNT = st.one_of(st.builds(Count, st.integers(1, 999)), st.builds(Percent, st.integers(1, 100)))
TOLERANCE = st.one_of(st.builds(Count, st.integers(0, 999)), st.builds(Percent, st.integers(0, 100)))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
# Allow windows open at least weekly, deny windows once a year, so there is always time for a rollout.
ALLOW = st.builds(
    Window,
    st.just(Kind.ALLOW),
    st.sampled_from(["0 2 * * 6", "*/5 * * * *", "30 1 * * mon-fri", "0,30 22-23 * * 0", "15 4 * * 1#1"]),
    lengths(MINUTE, 168 * HOUR, MINUTE),
    ZONES,
)
DENY = st.builds(
    Window,
    st.just(Kind.DENY),
    st.sampled_from(["0 0 24 12 *", "0 18 31 DEC *", "0 9 l 11 *"]),
    lengths(MINUTE, 24 * HOUR, MINUTE),
    ZONES,
)
DOMAIN = {
    By.AUTO: ["zone 2", "update domain 3", "zone az_1", "fault domain 0", "zone 2, update domain 3"],
    By.UPDATE_DOMAIN: ["update domain 4", "zone 1, update domain 0", "zone 1"],
    By.ZONE: ["zone 1", "zone 2", "zone az_3"],
    By.FAULT_DOMAIN: ["fault domain 1", "zone 3, fault domain 2", "zone 3"],
}
NAME = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
LINE = st.text(PRINTABLE, min_size=1, max_size=200).filter(lambda text: bool(text.strip()))
CHECK = st.one_of(
    st.builds(
        HttpCheck,
        NAME,
        st.builds(
            "http{}://{}/{}".format, st.sampled_from(["", "s"]), WORD, st.sampled_from(["", "a?b=c", "é"])
        ),
        st.integers(100, 599),
    ),
    st.builds(
        PrometheusCheck, NAME, st.sampled_from(["http://prometheus:9090", "https://p.example.com/x"]), LINE
    ),
)
ROLLOUT = st.sampled_from(By).flatmap(
    lambda by: st.builds(
        Rollout,
        by=st.just(by),
        order=st.lists(st.sampled_from(DOMAIN[by]), unique=True, max_size=3).map(tuple)
        if by in DOMAIN
        else st.just(()),
        canary=st.none()
        | st.builds(Canary, AMOUNT | st.lists(WORD, min_size=1, max_size=3).map(tuple), WHOLE),
        max_batch=AMOUNT,
        max_unavailable=AMOUNT,
        max_unhealthy=AMOUNT,
        max_unhealthy_upgraded=TOLERANCE,
        soak=lengths(timedelta(), 24 * HOUR),
        bake_time=lengths(timedelta(), 24 * HOUR),
        converge=st.sampled_from(Converge),
        customized_instances=st.sampled_from(CustomizedInstances),
        on_failure=st.sampled_from(OnFailure),
        require_way_back=st.booleans(),
        progress_deadline=WHOLE,
        deadline=st.none() | lengths(24 * HOUR + MINUTE, 720 * HOUR),
        approval=st.none() | st.sampled_from(Approval),
        approver=st.sampled_from(Approver),
        windows=st.lists(ALLOW | DENY, max_size=3).map(tuple),
        checks=st.lists(CHECK, max_size=3, unique_by=lambda check: check.name).map(tuple),
    ).map(lambda rollout: rollout if rollout.approval else replace(rollout, approver=Approver.ANYONE))
)
SCALE_SET = st.builds(
    ScaleSet,
    name=NAME.filter(lambda name: name not in OTHERS),
    labels=st.dictionaries(
        st.one_of(ODD.filter(str.isalnum), WORD), st.one_of(WORD, st.just("")), max_size=3
    ),
    target=st.builds(
        Target, st.just(SUBSCRIPTION), st.one_of(ODD, GROUP), st.one_of(ODD.filter(str.isalnum), WORD)
    ),
    image=IMAGE,
    rollout=ROLLOUT,
    health=st.builds(Health, WHOLE, st.integers(1, 100)),
    depends_on=st.lists(st.sampled_from(OTHERS), unique=True).map(tuple),
    wave=st.integers(0, 1000),
    interval=WHOLE,
    suspend=st.one_of(
        st.sampled_from([None, Suspension()]),
        st.builds(
            Suspension,
            LINE,
            st.one_of(st.just(""), WORD),
            st.one_of(
                st.none(), st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))
            ),
        ),
    ),
    fleet=st.just(FLEET),
    place=st.just(Place(FILE, 2)),
    image_lines=st.just(frozenset()),
)


def read(content: str) -> tuple[tuple[ScaleSet, ...], list[str]]:
    """What the text declares together with the other scale sets, which are in a resource group of their own."""
    others = [
        File(
            f"{name}.yaml",
            scale_set_text(minimal_scale_set(name, Target(SUBSCRIPTION, "2", name), FIX, Place(""))).encode(),
        )
        for name in OTHERS
    ]
    declared = declare([File(FILE, content.encode()), *others])
    scale_sets = tuple(
        replace(each, image_lines=frozenset()) for each in declared.scale_sets if each.name not in OTHERS
    )
    return scale_sets, [str(problem) for problem in declared.problems]


@settings(max_examples=150, deadline=None)
@given(SCALE_SET)
def test_a_written_scale_set_is_read_back_unchanged(scale_set: ScaleSet) -> None:
    content = scale_set_text(scale_set, schema=SCHEMA)
    assert read(content) == ((scale_set,), []), content


@settings(max_examples=60, deadline=None)
@given(SCALE_SET)
def test_another_yaml_reader_reads_every_string_as_a_string(scale_set: ScaleSet) -> None:
    spec: Any = yaml.safe_load(scale_set_text(scale_set))
    target = scale_set.target
    assert spec["metadata"]["name"] == scale_set.name
    assert spec["metadata"].get("labels", {}) == dict(scale_set.labels)
    assert tuple(spec["spec"]["target"].values()) == (
        target.subscription,
        target.resource_group,
        target.name,
    )


def test_a_minimal_scale_set_looks_like_the_examples() -> None:
    example = (Path(__file__).parents[2] / "specs" / "search.yaml").read_text().splitlines()
    written = scale_set_text(
        minimal_scale_set("search", Target(SUBSCRIPTION, "shop", "search"), PLATFORM, Place(FILE)),
        schema=SCHEMA,
    )
    assert written.splitlines() == [
        line
        for number, line in enumerate(example)
        if number != 1 and "labels" not in line and "30m" not in line
    ]


@pytest.mark.parametrize(
    "image, line",
    [
        pytest.param(PLATFORM, '      version: "24.04.202601140"', id="a version is quoted"),
        pytest.param(replace(PLATFORM, version="latest"), "      version: latest", id="latest is not quoted"),
        pytest.param(replace(PLATFORM, sku="2019"), '      sku: "2019"', id="a SKU of digits is quoted"),
        pytest.param(
            replace(PLATFORM, sku="on"),
            '      sku: "on"',
            id="a SKU that some readers take for true is quoted",
        ),
        pytest.param(replace(PLATFORM, sku="a#b"), '      sku: "a#b"', id="a SKU with a # is quoted"),
        pytest.param(
            replace(PLATFORM, sku='a"b\\'), '      sku: "a\\"b\\\\"', id="quotes and backslashes are escaped"
        ),
    ],
)
def test_a_value_is_quoted_if_necessary(image: Image, line: str) -> None:
    assert line in scale_set_text(minimal_scale_set("web", WEB, image, Place(FILE))).splitlines()


def test_the_layout_of_a_scale_set_with_many_fields() -> None:
    full = spec(
        rollout=rollout(
            order=("update domain 4", "update domain 0"),
            max_unhealthy_upgraded=Percent(5),
            deadline=12 * HOUR,
            approval=Approval.CANARY,
            approver=Approver.ANOTHER,
            windows=(
                Window(Kind.ALLOW, "0 2 * * 6", 4 * HOUR, "Europe/Berlin"),
                Window(Kind.DENY, "0 0 24 12 *", 24 * HOUR, "UTC"),
            ),
            checks=(
                HttpCheck("smoke", "https://shop.example.com/healthz", 204),
                PrometheusCheck("errors", "http://prometheus:9090", "errors < 5"),
            ),
        ),
        health=Health(timedelta(minutes=10), passes=3),
        depends_on=("db",),
        wave=2,
    )
    assert scale_set_text(full).partition("  rollout:\n")[2].splitlines() == [
        '    order: ["update domain 4", "update domain 0"]',
        "    maxUnhealthyUpgraded: 5%",
        "    deadline: 12h",
        "    approval: canary",
        "    approver: another",
        "    windows:",
        "      - kind: allow",
        '        schedule: "0 2 * * 6"',
        "        duration: 4h",
        "        timeZone: Europe/Berlin",
        "      - kind: deny",
        '        schedule: "0 0 24 12 *"',
        "        duration: 24h",
        "    checks:",
        "      - name: smoke",
        "        http:",
        "          url: https://shop.example.com/healthz",
        "          status: 204",
        "      - name: errors",
        "        prometheus:",
        '          server: "http://prometheus:9090"',
        '          query: "errors < 5"',
        "  health:",
        "    passes: 3",
        "  dependsOn: [db]",
        "  wave: 2",
    ]


def test_the_settings_of_the_fleet_are_left_out() -> None:
    frozen = replace(FLEET, freeze=Suspension("year-end"), max_change=Count(1))
    assert scale_set_text(spec(fleet=frozen)) == scale_set_text(spec())


@pytest.mark.parametrize("name", ["shop", "on", "007", "1e3"])
def test_a_written_fleet_is_read_back_with_its_name(name: str) -> None:
    declared = declare([File("fleet.yaml", fleet_text(name).encode())])
    assert (declared.fleet, declared.problems) == (name, ())
