"""A list of instances that stays incomplete: what is still done, and what is said."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.rollout.decide import decide
from reconciler.rollout.observed import Availability, Instance, Need, Observed, Verdict
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.spec.amount import Count
from reconciler.spec.image import Image
from reconciler.spec.scale_set import By, OnFailure
from tests.build import FIX, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FIVE_MINUTES, LONGER = NOW - 5 * MINUTE, NOW - 6 * MINUTE
REPIN = {"on_failure": OnFailure.REPIN}


def lost(number: int) -> Instance:
    """An upgraded instance that has been unhealthy for an hour."""
    return instance(number, health="unhealthy", since=NOW - HOUR)


def incomplete(*special: Instance, **changes: Any) -> Observed:
    """A rollout to NEW of which Azure lists 10 of 12 instances, since more than five minutes ago."""
    progress = changes.pop("progress", Progress(partial_since=LONGER))
    model_now = model(capacity=12, persisted=PersistedState(last_good=OLD))
    return observed(model=model_now, instances=fleet(*special), progress=progress, **changes)


@pytest.mark.parametrize(
    ("seen", "facts"),
    [
        pytest.param(
            incomplete(lost(0)),
            ("web_0 (unhealthy)", "10m", OLD.version),
            id="an upgraded instance stays unhealthy",
        ),
        pytest.param(
            incomplete(
                instance(0, health="unhealthy"),
                progress=Progress(partial_since=LONGER, waiting_since=NOW - 2 * HOUR),
            ),
            ("1h", "web_0 (unhealthy)", OLD.version),
            id="no further instance became healthy since before the list was incomplete",
        ),
    ],
)
def test_the_model_is_set_back_if_the_listed_instances_show_that_its_image_failed(
    seen: Observed, facts: tuple[str, ...]
) -> None:
    decision = decided(spec(**REPIN), seen)
    assert decision.line == says("GivingUp", *facts)
    assert isinstance(decision.step, PatchModel)
    assert decision.step.image == OLD
    assert decision.step.persisted is not None
    assert decision.step.persisted.failed == Fingerprint.of(NEW)


def test_an_unhealthy_instance_that_the_spec_tolerates_is_not_named_as_the_cause() -> None:
    progress = Progress(partial_since=LONGER, waiting_since=NOW - 2 * HOUR)
    seen = incomplete(lost(0), instance(5, health="unhealthy"), progress=progress)
    decision = decided(spec(max_unhealthy_upgraded=Count(1), **REPIN), seen)
    assert decision.line == says("GivingUp", "1h", "web_5 (unhealthy)", OLD.version)
    assert "web_0" not in decision.line


NOT_MADE = instance(0, provisioning="failed", health="", error="OSProvisioningTimedOut: no answer")


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        pytest.param(
            REPIN,
            incomplete(lost(0), progress=Progress(partial_since=FIVE_MINUTES, waiting_since=FIVE_MINUTES)),
            id="the list has been incomplete for five minutes and no more",
        ),
        pytest.param(REPIN, incomplete(instance(0)), id="every upgraded instance that is listed is healthy"),
        pytest.param(
            REPIN, incomplete(instance(0, health="unhealthy")), id="the unhealthy instance has time"
        ),
        pytest.param(
            REPIN,
            incomplete(
                NOT_MADE,
                progress=Progress(
                    partial_since=LONGER, attempt=Attempt(Upgrade(("0",), NEW), NOW - 2 * MINUTE)
                ),
            ),
            id="an instance that Azure could not create from the image has time too",
        ),
        pytest.param({}, incomplete(lost(0)), id="a failed rollout is to be on hold"),
        pytest.param(
            {"by": By.ZONE, **REPIN}, incomplete(lost(0)), id="the domains of the instances are unknown"
        ),
    ],
)
def test_nothing_changes_while_the_list_is_incomplete(changes: dict[str, Any], seen: Observed) -> None:
    decision = decided(spec(**changes), seen)
    assert (decision.reason, decision.step) == (Reason.PARTIAL_READ, None)


def test_whether_the_last_good_image_is_available_is_read_before_the_model_is_set_back() -> None:
    assert decide(spec(**REPIN), incomplete(lost(0), rollback_target=None)) is Need.ROLLBACK_TARGET


STATELESS = {"provisioning": "", "power": ""}


@pytest.mark.parametrize(
    ("instances", "partial_since", "facts"),
    [
        pytest.param(fleet(of=9), None, ("listed only 9 of 10",), id="one is missing"),
        pytest.param(
            fleet(of=9),
            LONGER,
            ("still lists only 9 of 10", "quota", "capacity to 9"),
            id="one has long been missing",
        ),
        pytest.param((*fleet(), instance(3)), None, ("twice",), id="one is listed twice"),
        pytest.param((*fleet(), instance(3)), LONGER, ("twice",), id="one has long been listed twice"),
        pytest.param(fleet(outdated(3, **STATELESS)), None, ("web_3",), id="one has no state"),
        pytest.param(
            fleet(outdated(3, **STATELESS)),
            LONGER,
            ("web_3", "restart, reimage or delete it"),
            id="one has long had no state",
        ),
        pytest.param(
            fleet(*(outdated(number, **STATELESS) for number in (3, 4))),
            None,
            ("web_3 and web_4",),
            id="two have no state",
        ),
        pytest.param(
            fleet(*(outdated(number, **STATELESS) for number in (3, 4))),
            LONGER,
            ("web_3 and web_4", "restart, reimage or delete these instances"),
            id="two have long had no state",
        ),
    ],
)
def test_what_the_list_lacks_and_what_to_do_if_that_lasts(
    instances: tuple[Instance, ...], partial_since: datetime | None, facts: tuple[str, ...]
) -> None:
    seen = observed(instances=instances, progress=Progress(partial_since=partial_since))
    assert decided(spec(), seen).line == says("PartialRead", *facts)


BACK = model(image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(NEW)))


@pytest.mark.parametrize(
    ("partial_since", "facts"),
    [
        pytest.param(None, (NEW.version, "listed only 9 of 10"), id="for the first time"),
        pytest.param(LONGER, (NEW.version, "still lists only 9 of 10", "quota", "9"), id="for long"),
    ],
)
def test_an_incomplete_list_during_a_rollback_names_the_failed_image(
    partial_since: datetime | None, facts: tuple[str, ...]
) -> None:
    instances = tuple(instance(number, image=OLD) for number in range(9))
    seen = observed(model=BACK, instances=instances, progress=Progress(partial_since=partial_since))
    assert decided(spec(**REPIN), seen).line == says("PartialRead", *facts)


@pytest.mark.parametrize(
    ("image", "good", "partial_since", "line"),
    [
        pytest.param(
            OLD,
            OLD,
            LONGER,
            says("ModelDrift", NEW.version, OLD.version),
            id="a return to the last good image, and the list has long been incomplete",
        ),
        pytest.param(
            OLD,
            OLD,
            FIVE_MINUTES,
            says("PartialRead", "listed only 9 of 10"),
            id="a return to the last good image, and the list has been incomplete for five minutes",
        ),
        pytest.param(
            FIX,
            OLD,
            LONGER,
            says("PartialRead", "still lists only 9 of 10"),
            id="another image, and the list has long been incomplete",
        ),
        pytest.param(
            OLD,
            None,
            LONGER,
            says("PartialRead", "still lists only 9 of 10"),
            id="an earlier image that no tag records as good, and the list has long been incomplete",
        ),
    ],
)
def test_the_model_changes_on_an_incomplete_list_only_to_the_last_good_image(
    image: Image, good: Image | None, partial_since: datetime, line: str
) -> None:
    seen = observed(
        model=model(persisted=PersistedState(last_good=good)),
        instances=fleet(of=9),
        availability=Availability(image, Verdict.AVAILABLE),
        progress=Progress(partial_since=partial_since),
    )
    assert decided(spec(image=image), seen).line == line
