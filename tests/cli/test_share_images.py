"""`reconciler adopt --share-images`: one line that moves many scale sets, and under which nothing changes at first."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli import main
from reconciler.cli.sharing import shared_images
from reconciler.spec.declared import NamedImage, declare
from reconciler.spec.directory import read_paths
from reconciler.spec.image import GalleryImage, Image, ManagedImage, PlatformImage, VhdImage, at_version
from reconciler.spec.problem import Place
from tests.cli.program import Azure, Ended, azure, write_specs
from tests.stories.world import BASE, NEW, OLD, SUBSCRIPTION, platform, scale_set

GALLERIES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/galleries"
CART = f"{GALLERIES}/shop/images/cart"
SHOUTED = CART.replace("shop/images/cart", "SHOP/images/CART")
URN = ":".join(BASE.values())
SERVER = "ubuntu-24-04-lts-server"
MANY = 60


@pytest.fixture(scope="module")
def sixty() -> Iterator[Azure]:
    with azure(
        scale_set("web", count=MANY, capacity=1), images={"platform": [{**BASE, "versions": [OLD, NEW]}]}
    ) as served:
        yield served


@pytest.fixture(scope="module")
def mixed() -> Iterator[Azure]:
    """Two versions of a platform image, one of which two scale sets run, and a gallery image in two spellings."""
    with azure(
        scale_set("web", capacity=1),
        scale_set("api", capacity=1),
        scale_set("db", capacity=1, image=platform(NEW)),
        scale_set("image-cart", capacity=1, image={"id": f"{CART}/versions/1.3.0"}),
        scale_set("cart", capacity=1, image={"id": f"{SHOUTED}/versions/1.3.0"}),
        scale_set("batch", capacity=1, mode="Automatic"),
        images={
            "platform": [{**BASE, "versions": [OLD, NEW]}],
            "ids": [f"{CART}/versions/1.3.0"],
        },
    ) as served:
        yield served


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reconciler(served: Azure, *line: str) -> Ended:
    done = CliRunner(env=served.environment).invoke(main, line, catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def adopt(served: Azure, *options: str) -> Ended:
    return reconciler(served, "adopt", "--subscription", SUBSCRIPTION, "--share-images", *options)


def contents() -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in Path("specs").iterdir()}


def test_one_line_moves_sixty_scale_sets(sixty: Azure) -> None:
    done = adopt(sixty)
    assert (done.code, done.err) == (0, [])
    assert done.out[0] == f"shop/web-0000: specs/web-0000.yaml refers to the image {SERVER}"
    assert done.out[-2:] == [
        f"image {SERVER}: specs/image-{SERVER}.yaml declares {URN}:{OLD} for 60 scale sets",
        "60 scale sets: 60 adopted",
    ]
    assert reconciler(sixty, "validate").out == ["60 scale sets in 61 files: no errors"]
    planned = reconciler(sixty, "plan", "--detailed-exitcode")
    assert (planned.code, planned.out[-3:]) == (
        0,
        ["60 scale sets are as declared", "", "no scale set rolls out"],
    )

    before = contents()
    named = Path("specs", f"image-{SERVER}.yaml")
    named.write_text(named.read_text().replace(OLD, NEW))
    changed = [
        (old, new)
        for name, lines in contents().items()
        for old, new in zip(before[name], lines, strict=True)
        if old != new
    ]
    assert changed == [(f'    version: "{OLD}"', f'    version: "{NEW}"')]
    plan = json.loads("\n".join(reconciler(sixty, "plan", "-o", "json").out))
    rows, summary = plan["scaleSets"], plan["summary"]
    assert {(row["image"], row["forecast"]["patches"]) for row in rows} == {(f"{URN}:{NEW}", 1)}
    assert {row["reason"] for row in rows} == {"ModelDrift", "AwaitingPilot"}
    assert (len(rows), summary["changed"], summary["rollingOut"]) == (MANY, MANY, MANY)
    assert sixty.writes() == 0


def test_a_second_adoption_refers_to_the_image_of_the_first(sixty: Azure) -> None:
    adopt(sixty, "web-000*")
    before = contents()
    done = adopt(sixty)
    assert done.out[-2:] == [
        f"image {SERVER}: specs/image-{SERVER}.yaml declares {URN}:{OLD} for 50 scale sets",
        "60 scale sets: 50 adopted, 10 already adopted",
    ]
    after = contents()
    assert len(after) == MANY + 1
    assert before.items() <= after.items()
    third = adopt(sixty)
    assert third.out[-1] == "60 scale sets: 60 already adopted"
    assert not any(line.startswith("image ") for line in third.out)
    assert contents() == after


def test_scale_sets_share_what_is_the_same_image(mixed: Azure) -> None:
    done = adopt(mixed)
    assert done.code == 0
    assert [line.partition(", suspended")[0] for line in done.out] == [
        f"shop/api: specs/api.yaml refers to the image {SERVER}",
        f"shop/batch: specs/batch.yaml refers to the image {SERVER}",
        "shop/cart: specs/cart.yaml refers to the image cart-2",
        f"shop/db: specs/db.yaml declares {URN}:{NEW}",
        "shop/image-cart: specs/image-cart.yaml refers to the image cart-2",
        f"shop/web: specs/web.yaml refers to the image {SERVER}",
        f"image cart-2: specs/image-cart-2.yaml declares {CART}/versions/1.3.0 for 2 scale sets",
        f"image {SERVER}: specs/image-{SERVER}.yaml declares {URN}:{OLD} for 3 scale sets",
        "6 scale sets: 5 adopted, 1 adopted suspended",
    ]
    planned = reconciler(mixed, "plan", "--detailed-exitcode")
    assert (planned.code, planned.out[-4:]) == (
        0,
        [
            "5 scale sets are as declared",
            "",
            "no scale set rolls out",
            "1 of 1 scale set does not reach the image: 1 suspended.",
        ],
    )
    assert contents()[f"image-{SERVER}.yaml"] == [
        "apiVersion: vmss-reconciler/v1alpha1",
        "kind: Image",
        "metadata:",
        f"  name: {SERVER}",
        "spec:",
        "  platform:",
        "    publisher: Canonical",
        "    offer: ubuntu-24_04-lts",
        "    sku: server",
        f'    version: "{OLD}"',
    ]
    assert contents()["web.yaml"][-3:] == ["    name: web", "  image:", f"    ref: {SERVER}"]


def test_an_image_of_the_user_is_used_again_even_by_one_scale_set(mixed: Azure, here: Path) -> None:
    base = {"apiVersion": "vmss-reconciler/v1alpha1", "kind": "Image", "metadata": {"name": "base"}}
    write_specs(here / "specs", base | {"spec": platform(NEW)})
    assert adopt(mixed, "db").out == [
        "shop/db: specs/db.yaml refers to the image base",
        f"image base: specs/base.yaml declares {URN}:{NEW} for 1 scale set",
        "1 scale set: 1 adopted",
    ]
    assert sorted(contents()) == ["base.yaml", "db.yaml"]


def test_without_the_option_every_spec_names_its_image(mixed: Azure, here: Path) -> None:
    adopt(mixed, "web", "api")
    assert reconciler(mixed, "adopt", "--subscription", SUBSCRIPTION, "batch", "cart").code == 0
    assert "    ref: " not in "\n".join(contents()["batch.yaml"])
    declared = declare(read_paths([here / "specs"]).files)
    assert [each.name for each in declared.images] == [SERVER]


def test_schemas_of_the_repository_are_named_by_images_too(mixed: Azure) -> None:
    reconciler(mixed, "schema", "--to", "schemas")
    adopt(mixed, "web", "api")
    assert {lines[0] for lines in contents().values()} == {
        "# yaml-language-server: $schema=../schemas/scale-set.schema.json"
    }


def test_no_spec_refers_to_an_image_that_could_not_be_written(
    mixed: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if "image-" in path.name:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    done = adopt(mixed, "web", "api", "db")
    why = f"not adopted: cannot write specs/image-{SERVER}.yaml: No space left on device"
    assert done.out == [
        f"shop/api: {why}",
        f"shop/db: specs/db.yaml declares {URN}:{NEW}",
        f"shop/web: {why}",
        "3 scale sets: 1 adopted, 2 not adopted",
    ]
    assert (done.code, sorted(contents())) == (1, ["db.yaml"])


def test_the_option_is_not_for_a_take_over() -> None:
    done = CliRunner().invoke(main, ["adopt", "--take-over", "--share-images", "web"])
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        2,
        "error: --share-images and --take-over cannot be combined: the specs name each scale set",
    )


UBUNTU = PlatformImage("Canonical", "ubuntu-24_04-lts", "server", OLD)
IMAGES: Sequence[Image] = (
    UBUNTU,
    at_version(UBUNTU, NEW),
    at_version(UBUNTU, "latest"),
    PlatformImage("canonical", "UBUNTU-24_04-lts", "server", OLD),
    PlatformImage("Other", "ubuntu-24_04-lts", "server", OLD),
    GalleryImage(f"{CART}/versions/1.3.0"),
    GalleryImage(f"{CART}/versions/1.4.0"),
    GalleryImage(f"{GALLERIES}/blog/images/cart/versions/1.3.0"),
    ManagedImage(CART.replace("/galleries/shop", "")),
    VhdImage("https://shop.blob.core.windows.net/vhds/cart.vhd"),
)
USED = st.lists(st.sampled_from(IMAGES), max_size=12)
EXISTING = st.lists(
    st.builds(
        NamedImage,
        st.sampled_from(["cart", SERVER, "base", "cart-2"]),
        st.sampled_from(IMAGES),
        st.just(Place("x")),
    ),
    max_size=3,
    unique_by=lambda each: each.name,
)


@given(USED, EXISTING)
def test_names_do_not_depend_on_the_order_of_a_list(used: list[Image], existing: list[NamedImage]) -> None:
    found = shared_images(used, existing, lambda name: name != "server")
    assert shared_images(used[::-1], existing[::-1], lambda name: name != "server") == found
    new = [each for each in found.values() if not each.place.file]
    assert len({each.name for each in (*new, *existing)}) == len(new) + len(existing)


@pytest.mark.parametrize(
    "used, names",
    [
        pytest.param([UBUNTU, UBUNTU], [SERVER], id="a platform image by offer and SKU"),
        pytest.param(
            [IMAGES[1], UBUNTU, UBUNTU, UBUNTU, IMAGES[1]],
            [f"{SERVER}-2", SERVER],
            id="the version that most scale sets are on gets the plain name",
        ),
        pytest.param(
            [UBUNTU, IMAGES[1], UBUNTU, IMAGES[1]],
            [f"{SERVER}-2", SERVER],
            id="of two versions of equal use the newer gets the plain name",
        ),
        pytest.param(
            [UBUNTU, IMAGES[4], UBUNTU, IMAGES[4]],
            [f"canonical-{SERVER}", f"other-{SERVER}"],
            id="images of two publishers are distinguished by publisher",
        ),
        pytest.param([IMAGES[5]] * 2, ["cart"], id="a gallery image by its definition"),
        pytest.param(
            [IMAGES[5], IMAGES[7]] * 2, ["shop-cart", "blog-cart"], id="definitions of two galleries"
        ),
        pytest.param([IMAGES[8]] * 2, ["cart"], id="a managed image by its name"),
        pytest.param([IMAGES[9]] * 2, ["cart"], id="a VHD by its name"),
        pytest.param(
            [IMAGES[8], IMAGES[9]] * 2, ["images-cart", "vhds-cart"], id="images of two kinds with one name"
        ),
        pytest.param([UBUNTU, IMAGES[5]], [], id="an image that one scale set uses gets no document"),
        pytest.param([UBUNTU, IMAGES[3]], [SERVER], id="two spellings are one image"),
        pytest.param(
            [UBUNTU, at_version(IMAGES[3], NEW)] * 2,
            [f"{SERVER}-2", SERVER],
            id="two versions in two spellings are versions of one image",
        ),
    ],
)
def test_an_image_is_named_after_what_its_versions_share(used: list[Image], names: list[str]) -> None:
    found = shared_images(used, (), lambda _: True)
    ordered = {str(image): None for image in used}
    by_image = {str(each.image): each.name for each in found.values()}
    assert [by_image[image] for image in ordered if image in by_image] == names
