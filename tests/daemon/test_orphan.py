"""Which scale sets without a spec are orphans: ours, with a rollout that has begun and has not ended."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.daemon.orphan import candidates, open_rollout, orphan, orphan_names
from reconciler.rollout.observed import Instance, Model
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Target
from tests.build import FIX, NEW, NOW, OLD, SUBSCRIPTION, fleet, instance, model, outdated

BEGUN = Mark(NOW - timedelta(hours=2), Fingerprint.of(NEW))
FAILED = Fingerprint.of(NEW)


def left(
    image: Image | None = NEW, *, owner: str = "", target: Target | None = None, **persisted: object
) -> Model:
    """A scale set that a fleet left after it had begun a rollout to NEW."""
    state = replace(PersistedState(fleet="shop", began=BEGUN, last_good=OLD), **persisted)  # type: ignore[arg-type]
    found = model(image=image, owner=owner, persisted=state)
    return replace(found, id=target.key) if target else found


@pytest.mark.parametrize(
    ("seen", "is_open"),
    [
        pytest.param(left(), True, id="the model is on the image of the rollout"),
        pytest.param(left(OLD, failed=FAILED), True, id="the image failed, and the model is back"),
        pytest.param(left(began=None), False, id="no rollout has begun, or a person has dismissed it"),
        pytest.param(left(FIX), False, id="another writer has set a third image"),
        pytest.param(left(OLD), False, id="another writer has set the model back"),
        pytest.param(
            left(OLD, failed=Fingerprint.of(FIX)), False, id="the model is back, but another image failed"
        ),
        pytest.param(left(FIX, failed=FAILED), False, id="the image failed, and another writer fixed it"),
        pytest.param(left(None), False, id="the model is on an image that cannot be read"),
        pytest.param(left(owner="Cluster API"), False, id="another controller owns it now"),
    ],
)
def test_whether_the_rollout_on_the_tag_is_still_open(seen: Model, is_open: bool) -> None:
    assert open_rollout(seen) == (BEGUN if is_open else None)


@pytest.mark.parametrize(
    ("instances", "counts"),
    [
        pytest.param(fleet(instance(0), of=3), (1, 3), id="half of it is upgraded"),
        pytest.param(fleet(of=3), (0, 3), id="none is upgraded yet"),
        pytest.param(fleet(of=3, rest="upgraded"), None, id="all are upgraded"),
        pytest.param((), None, id="there are no instances"),
        pytest.param(
            fleet(outdated(0, health="unhealthy"), of=3, rest="upgraded"),
            (2, 3),
            id="the last one is unhealthy",
        ),
        pytest.param(
            fleet(instance(0, health="unhealthy"), of=3, rest="upgraded"),
            None,
            id="all are upgraded, and one is unhealthy",
        ),
        pytest.param(
            fleet(outdated(0, provisioning="updating"), of=3, rest="upgraded"),
            (2, 3),
            id="the last one is being upgraded",
        ),
        pytest.param(
            fleet(outdated(0, protected=True), of=3, rest="upgraded"), None, id="the last one is protected"
        ),
        pytest.param(
            fleet(outdated(0, power="deallocated"), of=3, rest="upgraded"),
            None,
            id="the last one is deallocated",
        ),
        pytest.param(
            fleet(outdated(0, image=None), of=3, rest="upgraded"), None, id="the last one has no known image"
        ),
        pytest.param(
            fleet(outdated(0, provisioning="deleting"), of=3, rest="upgraded"),
            None,
            id="the last one is being deleted",
        ),
        pytest.param(
            fleet(outdated(0, is_attached=True), of=3, rest="upgraded"),
            None,
            id="the last one was attached by hand",
        ),
        pytest.param(
            fleet(outdated(0), outdated(1, is_attached=True), of=3, rest="upgraded"),
            (1, 2),
            id="one is left beside one that was attached by hand",
        ),
    ],
)
def test_whether_a_rollout_has_ended(instances: Sequence[Instance], counts: tuple[int, int] | None) -> None:
    found = orphan("web", left(), instances, NOW)
    assert (found and (found.up_to_date, found.total)) == counts


def test_after_a_failure_the_instances_on_the_last_good_image_count() -> None:
    found = orphan("web", left(OLD, failed=FAILED), fleet(instance(0), of=3), NOW)
    assert found is not None
    assert (found.image, found.up_to_date, found.total) == (NEW.version, 2, 3)


def test_without_an_open_rollout_there_is_no_orphan() -> None:
    assert orphan("web", left(began=None), fleet(of=3), NOW) is None


KEY = left().id


@pytest.mark.parametrize(
    ("owner", "ours", "former", "is_ours"),
    [
        pytest.param("shop", "shop", {}, True, id="claimed by this fleet"),
        pytest.param("other", "shop", {}, False, id="claimed by another fleet"),
        pytest.param("", "shop", {}, False, id="claimed by no fleet"),
        pytest.param("", "", {}, False, id="claimed by no fleet, in a fleet without a name"),
        pytest.param("", "", {KEY: ""}, True, id="declared before, in a fleet without a name"),
        pytest.param("", "shop", {KEY: "shop"}, True, id="declared before, without room for the claim"),
        pytest.param("shop", "", {KEY: "shop"}, True, id="declared before, and nothing is declared now"),
        pytest.param("other", "", {KEY: ""}, False, id="declared before, and claimed by another fleet since"),
        pytest.param("other", "shop", {KEY: "shop"}, False, id="taken over by another fleet"),
    ],
)
def test_whose_it_is(owner: str, ours: str, former: Mapping[str, str], is_ours: bool) -> None:
    assert bool(candidates([left(fleet=owner)], ours, former)) is is_ours


def test_the_rollout_begun_last_comes_first() -> None:
    early = left(
        target=Target(SUBSCRIPTION, "shop", "api"), began=replace(BEGUN, at=BEGUN.at - timedelta(days=9))
    )
    assert candidates([early, left()], "shop", {}) == (left(), early)


def test_names_are_unique_among_orphans_and_specs() -> None:
    targets = [Target(SUBSCRIPTION, group, name) for group, name in (("a", "web"), ("b", "web"), ("a", "db"))]
    found = [left(target=each) for each in targets]
    assert orphan_names(found, ["db"]) == dict(
        zip([each.key for each in targets], ["a-web", "b-web", "a-db"], strict=True)
    )
