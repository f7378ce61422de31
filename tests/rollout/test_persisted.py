"""What a scale set remembers, and the rollback target of a failed image."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState, Signature
from reconciler.spec.image import Image, PlatformImage, VhdImage
from tests.build import FIX, NEW, NOW, OLD

SHOUTED = PlatformImage(NEW.publisher.upper(), NEW.offer.upper(), NEW.sku.upper(), NEW.version)


@pytest.mark.parametrize(
    ("persisted", "stands"),
    [
        pytest.param(PersistedState(), None, id="nothing is known"),
        pytest.param(PersistedState(last_good=OLD), None, id="nothing failed"),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(NEW)),
            OLD,
            id="it failed: the last good one",
        ),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(SHOUTED)), OLD, id="in other capitals, too"
        ),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(FIX)), None, id="another image failed"
        ),
        pytest.param(
            PersistedState(failed=Fingerprint.of(NEW)),
            None,
            id="it failed, and no other is known to be good",
        ),
        pytest.param(
            PersistedState(last_good=SHOUTED, failed=Fingerprint.of(NEW)),
            None,
            id="it is itself the last good one",
        ),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(NEW), began=Mark.of(NOW, SHOUTED)),
            OLD,
            id="it failed, and is what was begun last",
        ),
        pytest.param(
            PersistedState(last_good=OLD, failed=Fingerprint.of(NEW), began=Mark.of(NOW, FIX)),
            None,
            id="it failed, and another image was begun since",
        ),
    ],
)
def test_the_rollback_target_of_a_failed_image(persisted: PersistedState, stands: Image | None) -> None:
    assert persisted.rollback_target(NEW) == stands


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
        pytest.param(PersistedState(last_good=NEW), NEW, "", id="none failed"),
        pytest.param(PersistedState(last_good=NEW, failed=Fingerprint.of(FIX)), None, "", id="no image"),
    ],
)
def test_which_image_failed_before(persisted: PersistedState, image: Image | None, name: str) -> None:
    assert persisted.failed_before(image) == name


NAMESAKE = PlatformImage("Contoso", "firewall", "byol", NEW.version)
LONG_NAME = VhdImage(f"https://a.blob.core.windows.net/vhds/{'n' * 50}.vhd")


@pytest.mark.parametrize(
    ("fingerprint", "image", "is_of"),
    [
        pytest.param(Fingerprint.of(NEW), NEW, True, id="the image itself"),
        pytest.param(Fingerprint.of(SHOUTED), NEW, True, id="the same in other capitals"),
        pytest.param(Fingerprint.of(NAMESAKE), NEW, False, id="another of the same name"),
        pytest.param(
            replace(Fingerprint.of(NEW), name="renamed"), NEW, True, id="the same under another name"
        ),
        pytest.param(
            Fingerprint("", NEW.version), NAMESAKE, True, id="of a former version only the name is known"
        ),
        pytest.param(Fingerprint("", OLD.version), NEW, False, id="another name, and no digest"),
        pytest.param(
            Fingerprint("", f"{'n' * 50}.vhd"), LONG_NAME, True, id="a former version kept a long name whole"
        ),
    ],
)
def test_a_fingerprint_tells_its_image(fingerprint: Fingerprint, image: Image, *, is_of: bool) -> None:
    assert fingerprint.is_of(image) is is_of


BEFORE, AGAIN = Mark.of(NOW - timedelta(hours=2), NEW), Mark.of(NOW, NEW)
OTHER = Mark.of(NOW - timedelta(hours=2), FIX)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(PersistedState(), PersistedState(retry=AGAIN), id="nothing is known"),
        pytest.param(
            PersistedState(OLD, Fingerprint.of(SHOUTED), BEFORE, fleet="shop", retry=OTHER),
            PersistedState(OLD, None, AGAIN, fleet="shop", retry=AGAIN),
            id="it failed and was begun last: its rollout begins anew",
        ),
        pytest.param(
            PersistedState(OLD, Fingerprint.of(FIX), OTHER),
            PersistedState(OLD, Fingerprint.of(FIX), OTHER, retry=AGAIN),
            id="another image failed and was begun last: both stay",
        ),
    ],
)
def test_an_image_that_is_tried_again_has_all_of_its_time_anew(
    before: PersistedState, after: PersistedState
) -> None:
    assert before.with_retry(NEW, NOW.replace(microsecond=7)) == after


@pytest.mark.parametrize(
    ("by", "through", "text"),
    [
        pytest.param("ada", "", "by ada at 2026-01-05 09:00 UTC", id="by a name"),
        pytest.param("", "", "by someone at 2026-01-05 09:00 UTC", id="by nobody known"),
        pytest.param(
            "ada", "pipeline 7", "by ada through pipeline 7 at 2026-01-05 09:00 UTC", id="through a pipeline"
        ),
        pytest.param(
            "ada", "ada", "by ada at 2026-01-05 09:00 UTC", id="by the name that the token tells too"
        ),
    ],
)
@pytest.mark.usefixtures("tokyo")
def test_who_approved_is_told_with_the_time_in_utc(by: str, through: str, text: str) -> None:
    at = datetime(2026, 1, 5, 11, 0, 30, 5, tzinfo=timezone(timedelta(hours=2)))
    assert str(Signature.of(NEW, by, at, through)) == text


def test_without_a_word_of_a_pipeline_there_is_none() -> None:
    assert Signature.of(NEW, "ada", NOW) == Signature("ada", NOW, Fingerprint.of(NEW), "")
