"""Declarations are written so that they are read as what they were, and look like the examples."""

from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.spec.amount import Count, Percent
from reconciler.spec.declaration import plain, text
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
    By,
    Canary,
    Converge,
    Health,
    OnFailure,
    Rollout,
    ScaleSet,
    Suspension,
    Target,
)
from tests.build import SUBSCRIPTION

FILE = "specs/web.yaml"
WEB = Target(SUBSCRIPTION, "shop", "web")
PLATFORM = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601140")
IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"

# What YAML readers take for something else, where a name may be so.
ODD = st.sampled_from(
    ["on", "No", "null", "1e3", "0x1f", "007", "2024-01-01", "1_000", "12", "y", "1.5", "_a"]
)
WORD = st.from_regex(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,20}[A-Za-z0-9])?", fullmatch=True)
GROUP = st.from_regex(r"[-_().A-Za-z0-9é]{0,20}[-_()A-Za-z0-9é]", fullmatch=True)
PUBLISHED = st.from_regex(r"[!-.0-9;-~é]{1,20}", fullmatch=True).filter(str.isprintable)
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
WHOLE = st.timedeltas(timedelta(minutes=1), timedelta(hours=24)).map(
    lambda length: timedelta(seconds=int(length.total_seconds()))
)
SCALE_SET = st.builds(
    ScaleSet,
    name=st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True),
    labels=st.dictionaries(
        st.one_of(ODD.filter(str.isalnum), WORD), st.one_of(WORD, st.just("")), max_size=3
    ),
    target=st.builds(
        Target, st.just(SUBSCRIPTION), st.one_of(ODD, GROUP), st.one_of(ODD.filter(str.isalnum), WORD)
    ),
    image=IMAGE,
    rollout=st.builds(
        Rollout,
        st.sampled_from(By),
        st.one_of(st.builds(Count, st.integers(1, 999)), st.builds(Percent, st.integers(1, 100))),
        st.sampled_from(Converge),
        st.one_of(
            st.none(),
            st.builds(
                Canary,
                st.one_of(
                    st.builds(Count, st.integers(1, 999)),
                    st.builds(Percent, st.integers(1, 100)),
                    st.lists(WORD, min_size=1, max_size=3).map(tuple),
                ),
                WHOLE,
            ),
        ),
        WHOLE,
        st.sampled_from(OnFailure),
        st.one_of(st.builds(Count, st.integers(1, 999)), st.builds(Percent, st.integers(1, 100))),
    ),
    health=st.builds(Health, WHOLE),
    interval=WHOLE,
    suspend=st.one_of(
        st.sampled_from([None, Suspension()]),
        st.builds(
            Suspension,
            st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable() and bool(text.strip())),
            st.one_of(st.just(""), WORD),
            st.one_of(
                st.none(), st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))
            ),
        ),
    ),
    place=st.just(Place(FILE, 2)),
)


def read(content: str) -> tuple[tuple[ScaleSet, ...], list[str]]:
    declared = declare([File(FILE, content.encode())])
    return declared.scale_sets, [str(problem) for problem in declared.problems]


@settings(max_examples=150, deadline=None)
@given(SCALE_SET)
def test_what_is_written_is_read_as_it_was(scale_set: ScaleSet) -> None:
    content = text(scale_set)
    assert read(content) == ((scale_set,), []), content


@settings(max_examples=60, deadline=None)
@given(SCALE_SET)
def test_another_reader_of_yaml_takes_every_text_for_text(scale_set: ScaleSet) -> None:
    spec: Any = yaml.safe_load(text(scale_set))
    target = scale_set.target
    assert spec["metadata"]["name"] == scale_set.name
    assert spec["metadata"].get("labels", {}) == dict(scale_set.labels)
    assert tuple(spec["spec"]["target"].values()) == (
        target.subscription,
        target.resource_group,
        target.name,
    )


def test_a_plain_one_looks_like_the_examples() -> None:
    example = (Path(__file__).parents[2] / "specs" / "search.yaml").read_text().splitlines()
    written = text(plain("search", Target(SUBSCRIPTION, "shop", "search"), PLATFORM, Place(FILE)))
    assert written.splitlines() == [
        line
        for number, line in enumerate(example)
        if number != 1 and "labels" not in line and "30m" not in line
    ]


@pytest.mark.parametrize(
    "image, line",
    [
        pytest.param(PLATFORM, '      version: "24.04.202601140"', id="a version is quoted"),
        pytest.param(replace(PLATFORM, version="latest"), "      version: latest", id="latest is a word"),
        pytest.param(replace(PLATFORM, sku="2019"), '      sku: "2019"', id="digits are text"),
        pytest.param(replace(PLATFORM, sku="on"), '      sku: "on"', id="a word that is true to some"),
        pytest.param(replace(PLATFORM, sku="a#b"), '      sku: "a#b"', id="half a comment"),
        pytest.param(replace(PLATFORM, sku='a"b\\'), '      sku: "a\\"b\\\\"', id="quotes and backslashes"),
    ],
)
def test_a_value_is_written(image: Image, line: str) -> None:
    assert line in text(plain("web", WEB, image, Place(FILE))).splitlines()
