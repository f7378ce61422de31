"""Commits that are read one after another: each declares what it would alone, and costs what it changes."""

from collections.abc import Mapping
from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec.declared import Known, declare
from reconciler.spec.files import File

HEAD = "apiVersion: vmss-reconciler/v1alpha1\nkind: KIND\nmetadata: {name: NAME}\nspec: "
PLATFORM = 'platform: {publisher: Canonical, offer: ubuntu, sku: server, version: "1.0.VERSION"}'


def document(kind: str, name: str, spec: str) -> str:
    return f"{HEAD.replace('KIND', kind).replace('NAME', name)}{{{spec}}}\n"


def scale_set(name: str, *fields: str, image: str = "ref: base", target: str = "") -> str:
    where = (
        f"{{subscription: 11111111-1111-1111-1111-111111111111, resourceGroup: shop, name: {target or name}}}"
    )
    return document(
        "ScaleSet",
        name,
        ", ".join((f"target: {where}", f"image: {{{image.replace('VERSION', '1')}}}", *fields)),
    )


def image(version: int) -> str:
    return document("Image", "base", PLATFORM.replace("VERSION", str(version)))


BASE: Mapping[str, str] = {
    "api.yaml": scale_set("api"),
    "db.yaml": scale_set("db", image=PLATFORM),
    "fleet.yaml": document("Fleet", "all", "maxChange: 50%"),
    "image.yaml": image(1),
    "policy.yaml": document("RolloutPolicy", "careful", "soak: 5m"),
    "web.yaml": scale_set("web", "rollout: {policy: careful}"),
}
BROKEN = "apiVersion: [\n"
# What each file may be instead. None: the commit has no such file.
VARIANTS: Mapping[str, tuple[str | None, ...]] = {
    "api.yaml": (None, BROKEN, scale_set("api", "dependsOn: [web]"), scale_set("api", "wave: x")),
    "db.yaml": (
        None,
        scale_set("db", "dependsOn: [api]"),
        scale_set("db", target="api"),
        scale_set("web", image=PLATFORM),
    ),
    "fleet.yaml": (
        None,
        BROKEN,
        document("Fleet", "all", "freeze: true"),
        document("Fleet", "all", "maxChange: x"),
        document("Fleet", "all", 'windows: [{kind: deny, schedule: "* * * * *", duration: 1h}]'),
        document("Fleet", "all", "tenants: [{path: ., requires: {policy: careful}}]"),
    ),
    "image.yaml": (None, image(2), image(1).replace("version:", "wersion:"), f"{image(1)}---\n{image(2)}"),
    "policy.yaml": (
        None,
        document("RolloutPolicy", "careful", "approver: another"),
        document("RolloutPolicy", "careful", "soak: x"),
        f"{document('RolloutPolicy', 'careful', 'soak: 1m')}---\nkind: [\n",
    ),
    "web.yaml": (
        None,
        "",
        scale_set("web", "dependsOn: [db]"),
        scale_set("web", "suspend: {reason: test, until: x}"),
        scale_set(
            "web", 'rollout: {policy: careful, windows: [{kind: allow, schedule: "0 2 * * *", duration: 1h}]}'
        ),
    ),
}


def files(texts: Mapping[str, str | None]) -> tuple[File, ...]:
    return tuple(File(name, text.encode()) for name, text in texts.items() if text is not None)


COMMITS = st.fixed_dictionaries(
    {name: st.sampled_from((text, *VARIANTS[name])) for name, text in BASE.items()}
).map(files)


@given(st.lists(COMMITS, min_size=2, max_size=5))
def test_a_commit_declares_the_same_whatever_was_read_before(commits: list[tuple[File, ...]]) -> None:
    known = Known()
    for each in commits:
        assert declare(each, known) == declare(each)


@pytest.mark.parametrize(
    ("changed", "converted"),
    [
        pytest.param({}, set(), id="a commit that changes no file"),
        pytest.param({"api.yaml": scale_set("api", "wave: 1")}, {"api"}, id="one spec"),
        pytest.param({"db.yaml": None}, set(), id="a spec that is removed"),
        pytest.param({"db.yaml": BROKEN}, set(), id="a spec that is broken"),
        pytest.param({"image.yaml": image(2)}, {"api", "web"}, id="an Image that two specs refer to"),
        pytest.param(
            {"policy.yaml": document("RolloutPolicy", "careful", "soak: 6m")},
            {"web"},
            id="a RolloutPolicy that one spec refers to",
        ),
        pytest.param(
            {"fleet.yaml": document("Fleet", "all", "maxChange: 60%")}, {"api", "db", "web"}, id="the Fleet"
        ),
        pytest.param({"fleet.yaml": None}, {"api", "db", "web"}, id="the Fleet that is removed"),
    ],
)
def test_only_what_a_commit_changes_is_parsed_and_converted(
    changed: Mapping[str, str | None], converted: set[str]
) -> None:
    known = Known()
    before = declare(files(BASE), known)
    parsed = known.files
    commit = files({**BASE, **changed})
    after = declare(commit, known)
    assert set(known.files) == set(commit)
    assert {file.path for file, each in known.files.items() if each is not parsed.get(file)} == {
        name for name, text in changed.items() if text is not None
    }
    objects = {id(each) for each in before.scale_sets}
    assert {each.name for each in after.scale_sets if id(each) not in objects} == converted


def test_a_copy_of_what_is_known_is_independent_of_it() -> None:
    known = Known()
    declare(files(BASE), known)
    parsed, converted = known.files, known.converted
    declare(files({**BASE, "api.yaml": None}), copy(known))
    assert (known.files, known.converted) == (parsed, converted)


def test_a_file_that_is_given_twice_is_a_duplicate_of_itself() -> None:
    twice = (*files(BASE), *files(BASE))
    known = Known()
    for _ in range(2):
        assert declare(twice, known).problems == declare(twice).problems != ()
