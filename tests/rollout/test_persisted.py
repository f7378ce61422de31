"""What a scale set remembers, and what stands for an image that was given up."""

import pytest

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.spec.image import Image, PlatformImage
from tests.build import FIX, NEW, OLD

SHOUTED = PlatformImage(NEW.publisher.upper(), NEW.offer.upper(), NEW.sku.upper(), NEW.version)


@pytest.mark.parametrize(
    ("persisted", "stands"),
    [
        pytest.param(PersistedState(), None, id="nothing is known"),
        pytest.param(PersistedState(last_good=OLD), None, id="nothing was given up"),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(NEW)),
            OLD,
            id="it was given up: the last good one",
        ),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(SHOUTED)), OLD, id="in other capitals, too"
        ),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(FIX)), None, id="another image was given up"
        ),
        pytest.param(
            PersistedState(failed=Fingerprint.of(NEW)),
            None,
            id="it was given up, and no other is known to be good",
        ),
        pytest.param(
            PersistedState(last_good=SHOUTED, failed=Fingerprint.of(NEW)),
            None,
            id="it is itself the last good one",
        ),
    ],
)
def test_the_last_good_image_stands_in_for_the_one_that_was_given_up(
    persisted: PersistedState, stands: Image | None
) -> None:
    assert persisted.stand_in(NEW) == stands


@pytest.mark.parametrize(
    ("persisted", "image", "name"),
    [
        pytest.param(
            PersistedState(last_good=SHOUTED, failed=Fingerprint.of(FIX)),
            NEW,
            FIX.version,
            id="it is the last good one",
        ),
        pytest.param(PersistedState(last_good=OLD, failed=Fingerprint.of(FIX)), NEW, "", id="another is"),
        pytest.param(PersistedState(failed=Fingerprint.of(FIX)), NEW, "", id="none is"),
        pytest.param(PersistedState(last_good=NEW), NEW, "", id="none was given up"),
        pytest.param(PersistedState(last_good=NEW, failed=Fingerprint.of(FIX)), None, "", id="no image"),
    ],
)
def test_what_was_given_up_for_an_image(persisted: PersistedState, image: Image | None, name: str) -> None:
    assert persisted.given_up_for(image) == name
