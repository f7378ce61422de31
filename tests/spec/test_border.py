"""Shards: which scale sets each selects, and what must not cross from one to another."""

from typing import Any

import pytest
import yaml

from reconciler.spec.declared import Declared, declare, nothing_declared
from reconciler.spec.files import File
from reconciler.spec.label import Requirement
from reconciler.spec.shard import Shard
from tests.stories.world import FIX, NEW, SUBSCRIPTION, of_all, spec

OTHER = "22222222-2222-2222-2222-222222222222"
EMEA = Shard("emea", (Requirement.of("region=emea"),))


def scale_set(
    name: str, region: str = "", version: str = NEW, subscription: str = SUBSCRIPTION, **fields: Any
) -> dict[str, Any]:
    document = spec(name, version, **fields)
    document["metadata"]["labels"] = {"region": region} if region else {}
    document["spec"]["target"]["subscription"] = subscription
    return document


def files(*documents: dict[str, Any]) -> list[File]:
    """A file for each document, named after it."""
    return [
        File(f"{each['metadata']['name']}.yaml", yaml.safe_dump(each, sort_keys=False).encode())
        for each in documents
    ]


def declared(*documents: dict[str, Any], shard: Shard | None = EMEA, **fleet: Any) -> Declared:
    return declare(files(of_all(**fleet), *documents), shard=shard)


def messages(found: Declared) -> list[str]:
    return [f"{each.place.file}: {each.text}" for each in found.problems]


@pytest.mark.parametrize(
    ("shard", "names"),
    [
        pytest.param(None, ["a", "b", "c"], id="no shard is the whole fleet"),
        pytest.param(EMEA, ["a"], id="by a label"),
        pytest.param(Shard("s", (Requirement.of("region!=emea"),)), ["b", "c"], id="all others by a label"),
        pytest.param(Shard("s", (), (OTHER,)), ["b"], id="by a subscription"),
        pytest.param(Shard("s", (), (OTHER, SUBSCRIPTION)), ["a", "b", "c"], id="by several subscriptions"),
        pytest.param(
            Shard("s", (Requirement.of("region"),), (SUBSCRIPTION,)), ["a"], id="by a label in a subscription"
        ),
    ],
)
def test_a_shard_declares_the_scale_sets_that_it_selects(shard: Shard | None, names: list[str]) -> None:
    found = declared(
        scale_set("a", "emea"),
        scale_set("b", "apac", subscription=OTHER.upper()),
        scale_set("c"),
        shard=shard,
    )
    assert [each.name for each in found.scale_sets] == names
    assert (found.problems, found.broken, found.total) == ((), (), 3)
    assert {each.fleet.claim for each in found.scale_sets} == {f"fleet/{shard.name}" if shard else "fleet"}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param(
            [scale_set("web", "emea", dependsOn=["db"]), scale_set("db")],
            [
                "web.yaml: spec.dependsOn[0] makes web wait for db, but no daemon knows both, because shard emea selects "
                "web, and not db: put both into one shard, or remove this name"
            ],
            id="one inside depends on one outside",
        ),
        pytest.param(
            [scale_set("web", dependsOn=["db"], version=FIX), scale_set("db", "emea")],
            [
                "web.yaml: spec.dependsOn[0] makes web wait for db, but no daemon knows both, because shard emea selects "
                "db, and not web: put both into one shard, or remove this name"
            ],
            id="one outside depends on one inside",
        ),
        pytest.param(
            [scale_set("web", "emea", wave=2), scale_set("b", wave=1), scale_set("a", wave=1)],
            [
                "web.yaml: spec.wave makes web wait for a in an earlier wave of the same image, but no daemon knows "
                "both, because shard emea selects web, and not a: put both into one shard, or give both the same wave"
            ],
            id="one inside is in a later wave",
        ),
        pytest.param(
            [scale_set("web", wave=1), scale_set("db", "emea")],
            [
                "web.yaml: spec.wave makes web wait for db in an earlier wave of the same image, but no daemon knows "
                "both, because shard emea selects db, and not web: put both into one shard, or give both the same wave"
            ],
            id="one outside is in a later wave",
        ),
        pytest.param(
            [scale_set("web", "emea", wave=1), scale_set("db", version=FIX)],
            [],
            id="waves of different images",
        ),
        pytest.param(
            [scale_set("web", "emea", wave=1), scale_set("db", wave=1)], [], id="one wave on both sides"
        ),
        pytest.param(
            [
                scale_set("web", "emea", wave=1, dependsOn=["db"]),
                scale_set("db", "emea"),
                scale_set("x", version=FIX),
            ],
            [],
            id="waves and dependencies inside",
        ),
        pytest.param(
            [
                scale_set("web", wave=1, dependsOn=["db"]),
                scale_set("db"),
                scale_set("x", "emea", version=FIX),
            ],
            [],
            id="waves and dependencies outside",
        ),
    ],
)
def test_what_waits_across_the_border_is_an_error(
    documents: list[dict[str, Any]], expected: list[str]
) -> None:
    assert messages(declared(*documents)) == expected
    assert messages(declared(*documents, shard=None)) == []


def test_a_scale_set_with_a_crossing_is_broken_and_the_others_are_declared() -> None:
    found = declared(scale_set("web", "emea", dependsOn=["db"]), scale_set("db"), scale_set("api", "emea"))
    assert [each.name for each in found.scale_sets] == ["api"]
    assert [each.name for each in found.broken] == ["web"]


@pytest.mark.parametrize(
    ("fleet", "fields"),
    [
        pytest.param({"maxConcurrentRollouts": 5}, ["spec.maxConcurrentRollouts"], id="a count of rollouts"),
        pytest.param({"maxChange": 5}, ["spec.maxChange"], id="a count of changes"),
        pytest.param({"maxConcurrentRollouts": "10%", "maxChange": "50%"}, [], id="percentages"),
        pytest.param({"maxFailedRollouts": 2}, [], id="a count of failures, which each shard has for itself"),
    ],
)
def test_a_count_that_each_shard_would_have_for_itself_is_an_error(
    fleet: dict[str, Any], fields: list[str]
) -> None:
    documents = scale_set("web", "emea"), scale_set("db")
    found = declared(*documents, **fleet)
    assert [each.field for each in found.problems] == fields
    assert bool(found.scale_sets) is not bool(fields)
    assert declared(documents[0], **fleet).problems == ()  # a shard that selects everything


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param(
            [of_all(), scale_set("web", "apac"), scale_set("db")],
            ["shard emea selects none of 2 scale sets: correct its selector or subscriptions"],
            id="it selects nothing",
        ),
        pytest.param(
            [scale_set("web", "emea")],
            [
                "shard emea needs a document of kind Fleet, because its name and that of the shard keep two "
                "shards from acting for one scale set: add one"
            ],
            id="no Fleet",
        ),
        pytest.param([of_all(), scale_set("web", "emea")], [], id="a Fleet, and a scale set"),
        pytest.param([of_all()], [], id="no scale set in any shard"),
    ],
)
def test_a_shard_that_can_do_nothing_is_an_error(
    documents: list[dict[str, Any]], expected: list[str]
) -> None:
    read = files(*documents)
    assert [str(each) for each in nothing_declared(read, declare(read, shard=EMEA), EMEA)] == expected
    assert nothing_declared(read, declare(read)) == ()
