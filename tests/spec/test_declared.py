"""What several files declare together, and the rules between their documents."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.spec.amount import Count
from reconciler.spec.declared import declare
from reconciler.spec.directory import read_paths
from reconciler.spec.files import File
from reconciler.spec.image import GalleryImage, PlatformImage, VhdImage
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import By, Converge, Health, ScaleSet, Target
from reconciler.spec.suspension import Suspension
from tests.build import FLEET, rollout

SPECS = Path(__file__).parents[2] / "specs"
UBUNTU = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601140")
BASE = """\
apiVersion: vmss-reconciler/v1alpha1
kind: Image
metadata: {name: base}
spec: {platform: {publisher: Canonical, offer: ubuntu-24_04-lts, sku: server, version: "24.04.202601140"}}
"""
REFERRING = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata: {name: NAME}
spec:
  target: {subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: shop, name: NAME}
  image: {ref: base}
"""
Lines = Callable[..., list[str]]


def referring(name: str) -> str:
    return REFERRING.replace("NAME", name)


def test_a_spec_becomes_a_scale_set_with_every_field(web: str) -> None:
    text = (
        web.replace("20%", "3").replace("auto", "zone").replace("image}", "model}").replace("false", "true")
    )
    declared = declare([File("web.yaml", text.encode())])
    assert declared.problems == ()
    assert declared.scale_sets == (
        ScaleSet(
            name="web",
            labels={"env": "prod"},
            target=Target("11111111-1111-1111-1111-111111111111", "shop", "web"),
            image=UBUNTU,
            rollout=rollout(by=By.ZONE, max_batch=Count(3), converge=Converge.MODEL),
            health=Health(timedelta(minutes=10), passes=1),
            depends_on=(),
            wave=0,
            interval=timedelta(hours=1),
            suspend=Suspension(),
            fleet=FLEET,
            place=Place("web.yaml", 1, 1),
            image_lines=frozenset(("web.yaml", line) for line in range(13, 17)),
        ),
    )


def test_the_lines_that_declare_the_image_of_a_scale_set() -> None:
    files = [
        File("all.yaml", f"{referring('web')}---\n{BASE}".encode()),
        File("api.yaml", referring("api").encode()),
    ]
    found = {each.name: each.image_lines for each in declare(files).scale_sets}
    assert found == {
        "web": frozenset({("all.yaml", 6), ("all.yaml", 11)}),
        "api": frozenset({("api.yaml", 6), ("all.yaml", 11)}),
    }


@pytest.mark.parametrize(
    ("suspend", "expected"),
    [
        pytest.param("false", None, id="not suspended"),
        pytest.param("true", Suspension(), id="suspended without a reason"),
        pytest.param("{reason: load test}", Suspension("load test"), id="suspended with a reason"),
        pytest.param(
            '{reason: load test, by: ada, until: "2026-01-31T18:00+02:00"}',
            Suspension("load test", "ada", datetime(2026, 1, 31, 16, tzinfo=UTC)),
            id="suspended by a person until a time",
        ),
    ],
)
def test_the_suspension_of_a_scale_set(web: str, suspend: str, expected: Suspension | None) -> None:
    declared = declare([File("web.yaml", web.replace("suspend: false", f"suspend: {suspend}").encode())])
    assert declared.problems == ()
    assert [each.suspend for each in declared.scale_sets] == [expected]


def test_fields_that_a_spec_leaves_out_have_the_defaults_of_the_schema() -> None:
    declared = declare([File("a.yaml", f"# first\n{BASE}---\n{referring('api')}".encode())])
    (api,) = declared.scale_sets
    assert (api.labels, api.image, api.suspend, api.place) == ({}, UBUNTU, None, Place("a.yaml", 7, 1))
    assert (api.rollout, api.health, api.interval) == (
        rollout(),
        Health(timedelta(minutes=10), passes=1),
        timedelta(hours=1),
    )
    assert (api.depends_on, api.wave, api.fleet) == ((), 0, FLEET)


def test_the_examples_declare_the_shop() -> None:
    found = read_paths([SPECS])
    declared = declare(found.files)
    assert found.problems + found.warnings + declared.problems == ()
    images = {each.name: each.image for each in declared.scale_sets}
    gallery = (
        "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/images/providers/Microsoft.Compute"
        "/galleries/shop/images/cart/versions/1.4.0"
    )
    assert images == {
        **dict.fromkeys(("web", "api", "workers", "search", "batch"), UBUNTU),
        "cart": GalleryImage(gallery),
        "legacy": VhdImage("https://shopimages.blob.core.windows.net/vhds/base-7.vhd"),
    }


def test_the_order_of_the_files_does_not_change_the_result(web: str) -> None:
    texts = {"a": BASE, "b": referring("api"), "c": web.replace("24.04.202601140", "24"), "d": "\t"}
    files = [File(f"{name}.yaml", text.encode()) for name, text in texts.items()]
    found = {
        (frozenset(each.name for each in declared.scale_sets), declared.problems)
        for declared in map(declare, itertools.permutations(files))
    }
    assert len(found) == 1


def test_two_specs_with_one_target_are_an_error(web: str, lines: Lines) -> None:
    other = web.replace("name: web\n  labels", "name: web2\n  labels").replace("shop", "SHOP")
    assert lines(web, web2=other) == [
        "web2.yaml:7:3: spec.target: is already the target of another spec, in web.yaml:7:3: keep one of the two"
    ]


def test_two_specs_with_one_target_are_not_declared(web: str) -> None:
    other = web.replace("name: web\n  labels", "name: web2\n  labels")
    assert declare([File("a", web.encode()), File("b", other.encode())]).scale_sets == ()


@pytest.mark.parametrize("extra", ["  suspend: true\n", "  <<: {}\n", "  ? !!int suspend\n"])
def test_a_spec_with_a_yaml_error_is_not_declared(web: str, extra: str) -> None:
    declared = declare([File("web.yaml", f"{web}{extra}".encode())])
    assert (declared.scale_sets, len(declared.problems)) == ((), 1 + ("!!" in extra))


def test_two_specs_with_one_name_are_an_error(web: str, lines: Lines) -> None:
    assert lines(web, web2=web.replace("name: web\n  image", "name: web2\n  image")) == [
        "web2.yaml:4:3: metadata.name: is already the name of another ScaleSet, in web.yaml:4:3: rename one of the two"
    ]


def test_a_scale_set_and_an_image_may_have_the_same_name(web: str, lines: Lines) -> None:
    assert lines(web, images=BASE.replace("base", "web")) == []


MISSING = "6:16: spec.image.ref: there is no Image named"


@pytest.mark.parametrize(
    "images, expected",
    [
        pytest.param(
            BASE.replace("base", "bass"),
            [f'api.yaml:{MISSING} "base": did you mean bass (images.yaml:1:1)?'],
            id="the most similar Image is suggested",
        ),
        pytest.param(
            BASE.replace("base", "windows"),
            [f'api.yaml:{MISSING} "base": use windows'],
            id="the declared Images are listed",
        ),
        pytest.param(
            REFERRING.replace("NAME", "web").replace("base", "other")
            + "---\n"
            + BASE.replace("base", "other"),
            [f'api.yaml:{MISSING} "base": use other'],
            id="an Image that another spec refers to is listed",
        ),
        pytest.param(
            BASE.replace('"24.04.202601140"', "24"),
            [
                'images.yaml:4:88: spec.platform.version: is read as the number 24: quote it: version: "24"; also, "24"'
                ' is not a version: write three numbers such as "24.04.202601140", or latest'
            ],
            id="an invalid Image is one error and not one for each reference",
        ),
        pytest.param(
            BASE + "---\n\ta: 1\n",
            ["images.yaml:6:1: tabs cannot be used for indentation: use spaces"],
            id="an Image before a syntax error in its file",
        ),
        pytest.param(
            "\ta: 1\n---\n" + BASE,
            ["images.yaml:1:1: tabs cannot be used for indentation: use spaces"],
            id="an Image that may be in the unreadable part of its file",
        ),
    ],
)
def test_a_reference_to_a_missing_image(lines: Lines, images: str, expected: list[str]) -> None:
    assert lines(api=referring("api"), images=images) == expected


def test_a_reference_if_no_image_is_declared(lines: Lines) -> None:
    assert lines(api=referring("api")) == [
        f'api.yaml:{MISSING} "base" in api.yaml: add it, or include the file that declares it'
    ]


def test_a_spec_that_refers_to_an_invalid_image_is_not_declared() -> None:
    files = [
        File("a", referring("api").encode()),
        File("b", BASE.replace('"24.04.202601140"', "24").encode()),
    ]
    assert declare(files).scale_sets == ()


def test_an_unused_image_is_not_an_error(lines: Lines) -> None:
    assert lines(images=BASE) == []


def test_all_documents_of_a_file_are_checked(lines: Lines) -> None:
    text = f"{BASE}---\n---\n{referring('api')}---\n{referring('Web')}---\n- a list\n"
    assert lines(text) == [
        'web.yaml:16:18: metadata.name: "Web" is not a name: use lower-case letters, digits and hyphens between'
        " them, such as web-2",
        "web.yaml:21:1: is a list, but a spec is expected: begin the document with"
        " apiVersion: vmss-reconciler/v1alpha1 and kind: ScaleSet",
    ]


def test_many_unknown_fields_are_summarised(web: str, lines: Lines) -> None:
    printed = lines(web + "".join(f"  field{number}: 1\n" for number in range(1000)))
    assert len(printed) == 21
    assert printed[-1].startswith("web.yaml:41:3: spec.field20: unknown field, and 979 more after it:")
