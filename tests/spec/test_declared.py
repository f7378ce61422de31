"""What several files declare together, and the rules between their documents."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.spec.amount import Count
from reconciler.spec.declared import declare, nothing_declared
from reconciler.spec.directory import read_paths
from reconciler.spec.files import File
from reconciler.spec.image import GalleryImage, ManagedImage, PlatformImage, VhdImage
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
        "web2.yaml:7:3: spec.target is already the target of another spec, in web.yaml:7:3: keep one of the two"
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
        "web2.yaml:4:3: metadata.name is already the name of another ScaleSet, in web.yaml:4:3: rename one of the two"
    ]


def test_a_scale_set_and_an_image_may_have_the_same_name(web: str, lines: Lines) -> None:
    assert lines(web, images=BASE.replace("base", "web")) == []


MISSING = "6:16: spec.image.ref names the Image"


@pytest.mark.parametrize(
    "images, expected",
    [
        pytest.param(
            BASE.replace("base", "bass"),
            [f'api.yaml:{MISSING} "base", which does not exist: did you mean bass (images.yaml:1:1)?'],
            id="the most similar Image is suggested",
        ),
        pytest.param(
            BASE.replace("base", "windows"),
            [f'api.yaml:{MISSING} "base", which does not exist: use windows'],
            id="the declared Images are listed",
        ),
        pytest.param(
            REFERRING.replace("NAME", "web").replace("base", "other")
            + "---\n"
            + BASE.replace("base", "other"),
            [f'api.yaml:{MISSING} "base", which does not exist: use other'],
            id="an Image that another spec refers to is listed",
        ),
        pytest.param(
            BASE.replace('"24.04.202601140"', "24"),
            [
                'images.yaml:4:88: spec.platform.version is read as the number 24: quote it: version: "24"; also, "24"'
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
        f'api.yaml:{MISSING} "base", which does not exist in api.yaml: add it, or include the file that declares it'
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
        'web.yaml:16:18: metadata.name "Web" is not a name: use lower-case letters, digits and hyphens between'
        " them, such as web-2",
        "web.yaml:21:1: the document is a list, but a spec is expected: begin the document with"
        " apiVersion: vmss-reconciler/v1alpha1 and kind: ScaleSet, or list this file in .reconcilerignore",
    ]


def test_many_unknown_fields_are_summarised(web: str, lines: Lines) -> None:
    printed = lines(web + "".join(f"  field{number}: 1\n" for number in range(1000)))
    assert len(printed) == 21
    assert printed[-1].startswith("web.yaml:41:3: spec.field20 is the first of 980 more unknown fields:")


# Documents of other programs, and files without documents

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        pytest.param("", 0, id="an empty file"),
        pytest.param("# kind: ScaleSet\n", 0, id="a file with only comments"),
        pytest.param("---\n---\n~\n", 0, id="a file with only empty documents"),
        pytest.param(CONFIG_MAP, 1, id="a ConfigMap"),
        pytest.param("resources: [web.yaml]\n", 1, id="a kustomization without an apiVersion"),
        pytest.param("services:\n  web: {image: x}\n", 1, id="a compose file"),
        pytest.param("Parameters: !Ref x\n<<: {a: 1}\n", 1, id="YAML features of another program"),
        pytest.param(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: Image\n", 1, id="a kind of the same name"
        ),
        pytest.param(f"{CONFIG_MAP}---\n{CONFIG_MAP}", 2, id="two documents"),
    ],
)
def test_what_is_passed_over_is_no_error(web: str, text: str, foreign: int) -> None:
    declared = declare([File("other.yaml", text.encode()), File("web.yaml", web.encode())])
    assert [str(each) for each in (*declared.problems, *declared.warnings)] == []
    assert ([each.name for each in declared.scale_sets], declared.foreign) == (["web"], foreign)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("- a\n", "is a list, but a spec is expected", id="a list"),
        pytest.param(
            "kind: Deployment\n", '"Deployment" is not a spec kind', id="a kind without an apiVersion"
        ),
        pytest.param("apiVersion: vmss-reconcilr/v1\n", "kind is missing", id="a misspelt group"),
        pytest.param("Spec: {}\n", "kind is missing", id="a spec without an apiVersion and a kind"),
        pytest.param("{{ if .Values.x }}\n", "a {{ template }}", id="a template"),
        pytest.param(
            "version https://git-lfs.github.com/spec/v1\noid sha256:dd7b\nsize 1395\n",
            "is a Git LFS pointer, whose content is not fetched: commit the file itself",
            id="a Git LFS pointer",
        ),
    ],
)
def test_what_may_be_a_spec_is_an_error(lines: Lines, text: str, problem: str) -> None:
    printed = lines(text)
    assert problem in printed[0], printed


def test_a_scale_set_of_another_group_is_a_warning(web: str) -> None:
    declared = declare([File("web.yaml", web.replace("vmss-reconciler/v1alpha1", "v1alpha1").encode())])
    assert (declared.scale_sets, declared.problems) == ((), ())
    assert [str(each) for each in declared.warnings] == [
        'web.yaml:1:13: apiVersion "v1alpha1" belongs to another program, so this ScaleSet is skipped: write'
        " vmss-reconciler/v1alpha1 if it is a spec"
    ]


NOTHING = "declares nothing{}: add a document with apiVersion: vmss-reconciler/v1alpha1 and kind: ScaleSet"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([""], ["0.yaml " + NOTHING.format("")], id="an empty file"),
        pytest.param(
            ["", CONFIG_MAP, "# a"],
            ["0.yaml " + NOTHING.format(", and neither do the other 2 files")],
            id="several files",
        ),
        pytest.param(["", BASE], [], id="one of the files declares something"),
        pytest.param(["", "- a"], [], id="one of the files has an error"),
        pytest.param([], [], id="no files"),
    ],
)
def test_files_that_declare_nothing_at_all(texts: list[str], expected: list[str]) -> None:
    files = [File(f"{number}.yaml", text.encode()) for number, text in enumerate(texts)]
    assert [str(each) for each in nothing_declared(files, declare(files))] == expected


# What an error breaks

FLEET_FILE = "apiVersion: vmss-reconciler/v1alpha1\nkind: Fleet\nmetadata: {name: shop}\nspec: {%s}\n"
POLICY = "apiVersion: vmss-reconciler/v1alpha1\nkind: RolloutPolicy\nmetadata: {name: slow}\nspec: {%s}\n"
SLOW = REFERRING + "  rollout: {policy: slow}\n"
API, CART = referring("api"), SLOW.replace("NAME", "cart").replace("ref: base", 'managed: {id: "%s"}')
MANAGED = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/images/providers/Microsoft.Compute"
    "/images/cart"
)
WHOLE = {
    "images": BASE,
    "policies": POLICY % "soak: 5m",
    "fleet": FLEET_FILE % "maxChange: 5",
    "api": API,
    "cart": CART % MANAGED,
}


@pytest.mark.parametrize(
    ("changes", "whole", "broken"),
    [
        pytest.param({}, ["api", "cart"], {}, id="nothing is broken"),
        pytest.param(
            {"api": API + "  wawe: 1\n"}, ["cart"], {"api": ("7:3: spec.wawe", UBUNTU)}, id="a field of a spec"
        ),
        pytest.param(
            {"api": API.replace("ref: base", "raf: base")}, ["cart"], {"api": ("6:11: spec.image.raf", None)}, id="the image of a spec"
        ),
        pytest.param(
            {"api": API + "---\nkind: ["}, ["cart"], {"api": ("api.yaml:9:1", UBUNTU)}, id="a YAML error after a spec"
        ),
        pytest.param(
            {"images": BASE.replace('"24.04.202601140"', "24")},
            ["cart"],
            {"api": ("images.yaml:4:88", None)},
            id="an Image that a spec refers to",
        ),
        pytest.param({"images": "kind: ["}, ["cart"], {"api": ("images.yaml:2:1", None)}, id="a file with an Image"),
        pytest.param(
            {"policies": POLICY % "soak: 5"},
            ["api"],
            {"cart": ("policies.yaml:4:14", ManagedImage(MANAGED))},
            id="a RolloutPolicy",
        ),
        pytest.param(
            {"fleet": FLEET_FILE % "maxChange: half"},
            [],
            {"api": ("fleet.yaml:4:19", UBUNTU), "cart": ("fleet.yaml:4:19", ManagedImage(MANAGED))},
            id="the Fleet",
        ),
        pytest.param(
            {"more": API.replace("name: api", "name: web", 1)},
            ["cart"],
            {"api": ("more.yaml:5:3: spec.target", UBUNTU), "web": ("more.yaml:5:3: spec.target", UBUNTU)},
            id="two specs with one target",
        ),
        pytest.param(
            {"api": API + "  dependsOn: [cart]\n", "cart": CART % MANAGED + "  dependsOn: [api]\n"},
            [],
            {"api": ("is part of a dependency cycle", UBUNTU), "cart": ("is part of", ManagedImage(MANAGED))},
            id="a dependency cycle",
        ),
        pytest.param({"other": "kind: ["}, ["api", "cart"], {}, id="a file that nothing needs"),
    ],
)  # fmt: skip
def test_what_an_error_breaks(
    changes: dict[str, str], whole: list[str], broken: dict[str, tuple[str, object]]
) -> None:
    texts = {**WHOLE, **changes}
    declared = declare([File(f"{name}.yaml", text.encode()) for name, text in texts.items()])
    assert [each.name for each in declared.scale_sets] == whole
    found = {each.name: each for each in declared.broken}
    assert list(found) == list(broken)
    for name, (message, image) in broken.items():
        assert message in str(found[name].problems[0])
        assert (found[name].image, len(found[name].problems)) == (image, 1)
        assert set(found[name].problems) <= set(declared.problems)
    assert bool(declared.problems) == bool(changes)
