"""A retry that the Fleet bars counts for nothing, and the image that it was to retry stays failed."""

from dataclasses import replace

import pytest

from reconciler.rollout.barred import first_bar_note, has_barred_retry, without_barred_retry
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.spec.fleet import Fleet
from reconciler.spec.image import Image
from tests.build import FIX, FLEET, NEW, NOW, OLD, model

BARRED = replace(FLEET, barred=frozenset({"retry"}))
RETRIED = PersistedState(last_good=OLD, retry=Mark.of(NOW, NEW))
BACK = model(image=OLD, persisted=RETRIED)


NO_UPGRADE = replace(FLEET, barred=frozenset({"upgrade"}))
NOTE = "spec.barredCommands of the Fleet bars `reconciler retry`; merge a commit instead"


@pytest.mark.parametrize(
    ("fleets", "command", "note"),
    [
        pytest.param([], "retry", "", id="there is no fleet"),
        pytest.param([FLEET], "retry", "", id="the fleet bars nothing"),
        pytest.param([BARRED], "upgrade", "", id="the fleet bars another command"),
        pytest.param([BARRED], "retry", NOTE, id="the fleet bars the command"),
        pytest.param([FLEET, NO_UPGRADE, BARRED], "retry", NOTE, id="one of three fleets bars the command"),
    ],
)
def test_a_command_is_refused_if_any_fleet_bars_it(fleets: list[Fleet], command: str, note: str) -> None:
    assert first_bar_note(fleets, command) == note


@pytest.mark.parametrize(
    ("seen", "fleet", "is_barred"),
    [
        pytest.param(BACK, BARRED, True, id="a retry where retries are barred"),
        pytest.param(BACK, FLEET, False, id="a retry where nothing is barred"),
        pytest.param(
            BACK,
            replace(FLEET, barred=frozenset({"approve"})),
            False,
            id="a retry where approvals are barred",
        ),
        pytest.param(model(), BARRED, False, id="no retry where retries are barred"),
    ],
)
def test_a_retry_that_does_not_count(seen: Model, fleet: Fleet, is_barred: bool) -> None:
    assert has_barred_retry(seen, fleet) is is_barred


@pytest.mark.parametrize(
    ("seen", "fleet"),
    [
        pytest.param(BACK, FLEET, id="retries are not barred"),
        pytest.param(model(), BARRED, id="nobody requested a retry"),
    ],
)
def test_the_model_stays_as_it_was_read_where_no_retry_is_barred(seen: Model, fleet: Fleet) -> None:
    assert without_barred_retry(seen, fleet) is seen


@pytest.mark.parametrize(
    ("image", "persisted", "failed"),
    [
        pytest.param(OLD, RETRIED, NEW, id="back on the last good image: the retried image has failed"),
        pytest.param(NEW, RETRIED, None, id="still on the retried image: nothing has failed"),
        pytest.param(
            None, RETRIED, None, id="on an image that cannot be read: nothing is known to have failed"
        ),
        pytest.param(
            OLD,
            replace(RETRIED, retry=Mark.of(NOW, OLD)),
            None,
            id="the retry is of the last good image: nothing has failed",
        ),
        pytest.param(
            OLD,
            replace(RETRIED, last_good=None),
            None,
            id="no last good image is known: nothing has failed",
        ),
        pytest.param(
            OLD,
            replace(RETRIED, failed=Fingerprint.of(FIX)),
            FIX,
            id="another image is recorded as failed: the record stays",
        ),
        pytest.param(
            NEW,
            replace(RETRIED, failed=Fingerprint.of(FIX)),
            FIX,
            id="another image is recorded as failed, and the model is on the retried one: the record stays",
        ),
    ],
)
def test_a_barred_retry_is_itself_the_record_of_the_failure(
    image: Image | None, persisted: PersistedState, failed: Image | None
) -> None:
    found = without_barred_retry(model(image=image, persisted=persisted), BARRED)
    expected = replace(persisted, retry=None, failed=Fingerprint.of(failed) if failed else None)
    assert found == model(image=image, persisted=expected)
