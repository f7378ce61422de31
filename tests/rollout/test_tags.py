"""What a scale set remembers, as its tags: read as it was written, whoever wrote it, and beside everybody's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from reconciler.rollout.claim import CLAIM, Claim
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState, Signature
from reconciler.rollout.tags import missing_room, persisted_state, with_approval, with_state
from reconciler.spec.image import (
    CommunityGalleryImage,
    GalleryImage,
    Image,
    ManagedImage,
    PlatformImage,
    SharedGalleryImage,
    VhdImage,
)

GOOD, BAD = PlatformImage("C", "O", "S", "1.0.0"), PlatformImage("C", "O", "S", "1.0.1")
HOUR = timedelta(hours=1)
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FAILED, BEGAN = Fingerprint.of(BAD), Mark.of(AT, BAD)
LONG = f"/subscriptions/s/resourceGroups/{'g' * 90}/providers/Microsoft.Compute/galleries/{'G' * 80}/images/{'i' * 80}"
VERSION = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/G/images/web/versions/1.4.0"
)
DEEP = VhdImage(f"https://acct.blob.core.windows.net/vhds/base.vhd?{'&d=1' * 165}")
STATE, APPROVED = "vmss-reconciler-state", "vmss-reconciler-approved"
APPROVED_BY = "vmss-reconciler-approved-by"
SIGNED = Signature.of(GOOD, "ada@example.com", AT)
BY_ADA = f"by=ada@example.com;at=2026-01-05T09:00:00+00:00;image={SIGNED.image.digest},1.0.0"
ALL = PersistedState(GOOD, FAILED, BEGAN)
TEXT = (
    f"v1;failed={FAILED.digest},1.0.1;began=2026-01-05T09:00:00+00:00,{FAILED.digest},1.0.1;good=C:O:S:1.0.0"
)


@pytest.mark.parametrize(
    "image",
    [
        GOOD,
        GalleryImage(VERSION),
        GalleryImage(f"{LONG}/versions/1.4.0"),
        CommunityGalleryImage("/CommunityGalleries/pub/Images/web/Versions/1.4.0"),
        SharedGalleryImage("/SharedGalleries/uni/Images/web/Versions/1.4.0"),
        ManagedImage("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/web"),
        VhdImage("https://acct.blob.core.windows.net/vhds/base;1,a%3B.vhd"),
        VhdImage("https://acct.blob.core.windows.net/vhds/base.vhd?release=1.4"),
        DEEP,
    ],
    ids=lambda image: f"{image.kind}, {len(str(image))} characters",
)
def test_it_is_read_as_it_was_written_in_tags_that_azure_keeps(image: Image) -> None:
    of = Fingerprint.of(image)
    for written in (
        PersistedState(image),
        PersistedState(failed=of),
        PersistedState(fleet="shop"),
        PersistedState(retry=Mark.of(AT, image)),
        PersistedState(image, of, Mark.of(AT, image), fleet="shop"),
    ):
        tags = with_state({}, written)
        assert persisted_state(tags) == written
        assert persisted_state({name.upper(): value for name, value in tags.items()}) == written
        assert max(len(value) for value in tags.values()) <= 256
        assert not any(letter in name for name in tags for letter in "<>%&\\?/")
    signed = Signature.of(image, "ada@example.com", AT)
    approved = with_approval({}, image, signed)
    assert persisted_state(approved) == PersistedState(approved=image, signature=signed)
    assert max(len(value) for value in approved.values()) <= 256


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(PersistedState(), id="the scale set remembers nothing else"),
        pytest.param(PersistedState(GOOD, fleet="shop"), id="beside its state"),
    ],
)
def test_its_pause_is_read(written: PersistedState) -> None:
    tags = {**with_state({}, written), "vmss-reconciler-pause": "checkout is down"}
    assert persisted_state(tags) == replace(written, pause=Pause("checkout is down"))


def test_it_takes_one_tag_where_one_holds_it() -> None:
    assert with_state({}, ALL) == {STATE: TEXT}
    assert with_state({}, replace(ALL, fleet="shop")) == {STATE: TEXT.replace("v1;", "v1;fleet=shop;")}
    assert with_approval({}, GOOD, SIGNED) == {APPROVED: "C:O:S:1.0.0", APPROVED_BY: BY_ADA}
    assert len(with_state({}, PersistedState(GalleryImage(f"{LONG}/versions/1.4.0"), FAILED, BEGAN))) == 2


def test_a_tag_that_is_no_longer_needed_is_emptied() -> None:
    """Azure may merge tags: one that is left out could stay, and be read as the end of a shorter text."""
    tags = with_state({}, PersistedState(GalleryImage(f"{LONG}/versions/1.4.0")))
    assert with_state(tags, ALL) == {STATE: TEXT, f"{STATE}-2": ""}
    assert with_state({f"{STATE}-2": ""}, ALL) == {STATE: TEXT, f"{STATE}-2": ""}


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(("pilot=yes",), id="a part"),
        pytest.param(("pilot",), id="a part without a value"),
        pytest.param(("seen=a", "seen=b"), id="a part that stands twice"),
        pytest.param(("pilot=yes", "hmac=a=b"), id="two, one with an equals sign"),
    ],
)
def test_what_another_version_added_is_kept(others: tuple[str, ...]) -> None:
    tags = {STATE: ";".join(("v1", *others, "good=C:O:S:1.0.0"))}
    found = persisted_state(tags)
    assert found == PersistedState(GOOD, others=others)
    assert persisted_state(with_state(tags, found)) == found


@pytest.mark.parametrize(
    ("text", "is_readable"),
    [
        pytest.param("v1", True, id="this version, and nothing is known"),
        pytest.param("", True, id="emptied by a person, to begin without"),
        pytest.param("v2;failed=x", False, id="a later version"),
        pytest.param("v10;failed=x", False, id="a version whose number begins like ours"),
        pytest.param("failed=x", False, id="no version at all"),
    ],
)
def test_a_text_of_another_version_is_not_read(text: str, is_readable: bool) -> None:
    assert persisted_state({STATE: text}) == PersistedState(is_readable=is_readable)


@pytest.mark.parametrize(
    "part",
    [
        "fleet=",
        "fleet",
        "good=",
        "good=web",
        "good=a:b:c",
        "good=/subscriptions/s",
        "failed=",
        "failed=,",
        "failed=abc",
        "began=",
        "began=yesterday,abc,web",
        "began=2026-01-05T09:00:00,abc,web",
        "began=2026-01-05T09:00:00+00:00",
        "retry=",
        "retry=yesterday,abc,web",
        "retry=2026-01-05T09:00:00+00:00",
    ],
)
def test_a_part_that_makes_no_sense_counts_for_nothing(part: str) -> None:
    assert persisted_state({STATE: f"v1;{part}"}) == PersistedState()


def test_tags_of_others_stay_and_ours_in_other_letters_are_not_sent_twice() -> None:
    tags = {"Team": "web", "Vmss-Reconciler-State": "v1", "VMSS-RECONCILER-APPROVED": "y"}
    assert with_state(tags, ALL) == {"Team": "web", "VMSS-RECONCILER-APPROVED": "y", STATE: TEXT}
    approved = {APPROVED: "C:O:S:1.0.0", APPROVED_BY: BY_ADA}
    assert with_approval(tags, GOOD, SIGNED) == {"Team": "web", "Vmss-Reconciler-State": "v1", **approved}


FORMER = {
    "reconciler-last-good": str(GOOD),
    "reconciler-last-good-2": "",
    "Reconciler-Failed": str(BAD),
    "reconciler-failed-2": "",
    "reconciler-began": "2026-01-05T09:00:00+00:00 1.0.1",
    "reconciler-approved": str(BAD),
}
BEGAN_BY_NAME = Mark(AT, Fingerprint("", "1.0.1"))


@pytest.mark.parametrize(
    ("tags", "persisted"),
    [
        pytest.param(FORMER, PersistedState(GOOD, FAILED, BEGAN_BY_NAME, BAD), id="the oldest names"),
        pytest.param(
            {f"vmss-{name.casefold()}": value for name, value in FORMER.items()},
            PersistedState(GOOD, FAILED, BEGAN_BY_NAME, BAD),
            id="the names before these",
        ),
        pytest.param(
            {"reconciler-failed": VERSION[:40], "reconciler-failed-2": VERSION[40:]},
            PersistedState(failed=Fingerprint.of(GalleryImage(VERSION))),
            id="a text that goes on in a second tag",
        ),
        pytest.param(
            FORMER | {"vmss-reconciler-failed": ""},
            PersistedState(GOOD, None, BEGAN_BY_NAME, BAD),
            id="of two former names the later one counts, though it is empty",
        ),
        pytest.param(
            FORMER | {"reconciler-began": "2026-01-05T09:00:00 1.0.1"},
            PersistedState(GOOD, FAILED, None, BAD),
            id="a time without a zone",
        ),
        pytest.param(
            FORMER | {STATE: TEXT}, PersistedState(GOOD, FAILED, BEGAN, BAD), id="the state of today wins"
        ),
        pytest.param(
            FORMER | {STATE: ""}, PersistedState(approved=BAD), id="the state of today, emptied by a person"
        ),
        pytest.param(
            FORMER | {"vmss-reconciler-approved": ""},
            PersistedState(GOOD, FAILED, BEGAN_BY_NAME),
            id="an approval that was withdrawn",
        ),
    ],
)
def test_what_a_version_before_this_one_wrote_is_read(
    tags: dict[str, str], persisted: PersistedState
) -> None:
    assert persisted_state(tags) == persisted


def test_the_first_write_empties_what_former_versions_wrote_and_the_next_leaves_it_out() -> None:
    tags = {"team": "web", **FORMER, **{f"vmss-{name}": "x" for name in FORMER if "approved" not in name}}
    written = with_state(tags, ALL)
    ours = {"team": "web", STATE: TEXT, "vmss-reconciler-approved": str(BAD)}
    assert {name: value for name, value in written.items() if value} == ours
    assert written.keys() == tags.keys() - {name for name, value in FORMER.items() if not value} | ours.keys()
    assert persisted_state(written) == PersistedState(GOOD, FAILED, BEGAN, BAD)
    assert with_state(written, ALL) == ours


def test_what_a_former_version_began_goes_on_by_its_name() -> None:
    found = persisted_state(with_state(FORMER, persisted_state(FORMER)))
    assert (found.began, found.failed) == (BEGAN_BY_NAME, FAILED)
    assert found.began_at(BAD) == AT
    assert found.began_at(GOOD) is None


@pytest.mark.parametrize(
    "present",
    [
        pytest.param({"vmss-reconciler-approved": str(GOOD)}, id="another image is approved since"),
        pytest.param({"vmss-reconciler-approved": ""}, id="the approval was withdrawn"),
    ],
)
def test_an_approval_under_its_former_name_does_not_replace_a_present_one(present: dict[str, str]) -> None:
    written = with_state({"reconciler-approved": str(BAD), **present}, ALL)
    assert written == present | {STATE: TEXT, "reconciler-approved": ""}


def test_an_approval_empties_its_own_former_name_and_no_other() -> None:
    ours = {"reconciler-approved": "", APPROVED: str(GOOD), APPROVED_BY: BY_ADA}
    assert with_approval(FORMER, GOOD, SIGNED) == FORMER | ours


def tags_of(number: int, **more: str) -> dict[str, str]:
    return {f"owner-{each}": "x" for each in range(number)} | more


@pytest.mark.parametrize(
    ("tags", "missing"),
    [
        pytest.param(tags_of(49), 0, id="the fiftieth is ours"),
        pytest.param(tags_of(50), 1, id="there are fifty"),
        pytest.param(tags_of(49, **{STATE: "v1"}), 0, id="ours is among the fifty"),
        pytest.param(
            tags_of(48, **{STATE: "v1", f"{STATE}-2": ""}), 0, id="two of ours are, one of them empty"
        ),
        pytest.param(
            tags_of(49, **{"reconciler-failed": "x"}),
            1,
            id="what is removed may stay, and so has no room to give",
        ),
        pytest.param(tags_of(49, **{STATE.upper(): "v1"}), 0, id="ours is there in other letters"),
    ],
)
def test_room_is_counted_as_if_azure_merged_tags(tags: dict[str, Any], missing: int) -> None:
    assert missing_room(tags, with_state(tags, ALL)) == missing


def test_a_tag_beyond_the_last_of_ours_is_somebody_elses() -> None:
    assert persisted_state({STATE: TEXT, f"{STATE}-5": "x"}) == ALL
    assert with_state({f"{STATE}-5": "x"}, ALL) == {STATE: TEXT, f"{STATE}-5": "x"}


def test_an_approval_is_read_beside_a_state_that_a_later_version_wrote() -> None:
    signed = Signature.of(BAD, "ada", AT)
    tags = with_approval({STATE: "v2;failed=x"}, BAD, signed)
    assert persisted_state(tags) == PersistedState(approved=BAD, signature=signed, is_readable=False)


def test_an_approval_that_fills_several_tags_stays_as_it_is_when_the_state_is_written() -> None:
    approved = with_approval({}, DEEP, Signature.of(DEEP, "ada", AT))
    assert len(approved) == 4
    assert with_state(approved, ALL) == approved | {STATE: TEXT}


def test_the_name_of_what_a_former_version_began_may_have_a_space_in_it() -> None:
    found = persisted_state({"reconciler-began": "2026-01-05T09:00:00+00:00 my base.vhd"})
    assert found == PersistedState(began=Mark(AT, Fingerprint("", "my base.vhd")))


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        pytest.param(SIGNED, BY_ADA, id="by the name of the token"),
        pytest.param(
            Signature.of(GOOD, "ada", AT, "application 7"),
            BY_ADA.replace("ada@example.com", "ada;through=application 7"),
            id="by a name that was said, through a pipeline",
        ),
        pytest.param(
            Signature.of(GOOD, "ada", AT, "ada"),
            BY_ADA.replace("ada@example.com", "ada"),
            id="by one name twice",
        ),
        pytest.param(
            Signature.of(GOOD, "", AT), BY_ADA.replace("by=ada@example.com;", ""), id="by nobody known"
        ),
        pytest.param(
            Signature.of(GOOD, "Löwe, A.; 50%", AT),
            BY_ADA.replace("ada@example.com", "Löwe%2C A.%3B 50%25"),
            id="by a name with signs of our own",
        ),
        pytest.param(
            Signature.of(GOOD, "ada", datetime(2026, 1, 5, 11, 0, 0, 900, tzinfo=timezone(2 * HOUR))),
            BY_ADA.replace("ada@example.com", "ada"),
            id="at a time elsewhere, which is reported in UTC",
        ),
    ],
)
def test_who_approved_is_read_as_it_was_written(signature: Signature, text: str) -> None:
    tags = with_approval({}, GOOD, signature)
    assert tags == {APPROVED: str(GOOD), APPROVED_BY: text}
    assert persisted_state(tags).signature_of(GOOD) == signature


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing, as a version before this one leaves it"),
        pytest.param("ada", id="a name alone"),
        pytest.param("by=ada;at=2026-01-05T09:00:00+00:00", id="no image"),
        pytest.param("by=ada;at=2026-01-05T09:00:00+00:00;image=,1.0.0", id="an image by its name alone"),
        pytest.param(BY_ADA.replace("2026-01-05T09:00:00+00:00", "yesterday"), id="no time"),
        pytest.param(BY_ADA.replace("+00:00", ""), id="a time without a zone"),
        pytest.param(BY_ADA.replace(SIGNED.image.digest, FAILED.digest), id="another image"),
    ],
)
def test_an_approval_with_an_invalid_signature_has_no_known_approver(text: str) -> None:
    found = persisted_state({APPROVED: str(GOOD), APPROVED_BY: text})
    assert (found.is_approved(GOOD), found.signature_of(GOOD)) == (True, None)


def test_a_signature_is_none_without_its_approval() -> None:
    assert persisted_state({APPROVED_BY: BY_ADA}).signature_of(GOOD) is None
    assert persisted_state({APPROVED: str(BAD), APPROVED_BY: BY_ADA}).signature_of(GOOD) is None


@pytest.mark.parametrize(
    ("tags", "signed"),
    [
        pytest.param(tags_of(48), {APPROVED_BY: BY_ADA}, id="two tags are left"),
        pytest.param(tags_of(49), {}, id="one is left"),
        pytest.param(tags_of(49, **{APPROVED: "x"}), {}, id="the last one is that of the approval before"),
        pytest.param(
            tags_of(48, **{APPROVED: "x", APPROVED_BY: "y"}), {APPROVED_BY: BY_ADA}, id="both are there"
        ),
    ],
)
def test_the_approver_is_left_out_if_there_is_no_room(tags: dict[str, str], signed: dict[str, str]) -> None:
    assert with_approval(tags, GOOD, SIGNED) == tags | {APPROVED: str(GOOD)} | signed


def test_a_name_that_has_no_room_leaves_no_other_in_its_place() -> None:
    tags = tags_of(48, **{APPROVED: str(GOOD), APPROVED_BY: BY_ADA})
    written = with_approval(tags, GOOD, Signature.of(GOOD, "%" * 100, AT))
    assert (written[APPROVED_BY], len(written)) == ("", 50)


def test_what_somebody_writes_into_a_tag_moves_no_cursor() -> None:
    escape = BY_ADA.replace("ada@example.com", "a\x1b[2J")
    found = persisted_state({STATE: "v1;fleet=a\nb", APPROVED: str(GOOD), APPROVED_BY: escape})
    assert found.fleet == "a\\nb"
    assert str(found.signature) == "by a\\x1b[2J at 2026-01-05 09:00 UTC"


def test_when_an_image_was_tried_again_is_written_beside_when_it_began() -> None:
    written = with_state({}, replace(ALL, retry=Mark.of(AT + HOUR, GOOD)))
    retry = f"retry=2026-01-05T10:00:00+00:00,{SIGNED.image.digest},1.0.0"
    assert written == {STATE: TEXT.replace(";good=", f";{retry};good=")}


@pytest.mark.usefixtures("tokyo")
def test_the_time_of_an_approval_is_written_in_utc_wherever_that_is_done() -> None:
    assert with_approval({}, GOOD, SIGNED) == {APPROVED: "C:O:S:1.0.0", APPROVED_BY: BY_ADA}


CLAIMED = Claim("4f0c", "ada; of shop", AT)
CLAIM_TEXT = "holder=4f0c;by=ada%3B of shop;until=2026-01-05T09:00:00+00:00"


@pytest.mark.parametrize(
    ("tags", "persisted", "claim"),
    [
        pytest.param({}, PersistedState(claim=CLAIMED), CLAIM_TEXT, id="it is written"),
        pytest.param({CLAIM: CLAIM_TEXT}, PersistedState(claim=CLAIMED), CLAIM_TEXT, id="it is kept"),
        pytest.param({CLAIM: CLAIM_TEXT}, PersistedState(), "", id="it is emptied"),
        pytest.param({CLAIM.upper(): CLAIM_TEXT}, PersistedState(), "", id="it is emptied in capitals"),
        pytest.param({CLAIM: ""}, PersistedState(), None, id="once it is empty, it is left out"),
        pytest.param({}, PersistedState(), None, id="there is none"),
    ],
)
def test_a_claim_is_a_tag_of_its_own(tags: Any, persisted: PersistedState, claim: str | None) -> None:
    written = with_state(tags, persisted)
    assert {name.casefold(): value for name, value in written.items()}.get(CLAIM) == claim
    assert persisted_state(written).claim == persisted.claim


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("mine", id="words"),
        pytest.param("holder=1;by=ada", id="no end"),
        pytest.param("by=ada;until=2026-01-05T09:00:00+00:00", id="no holder"),
        pytest.param("holder=1;until=soon", id="an end that is no time"),
        pytest.param("holder=1;until=2026-01-05T09:00:00", id="an end without a zone"),
    ],
)
def test_what_does_not_say_who_holds_it_until_when_is_no_claim(text: str) -> None:
    assert persisted_state({CLAIM: text}).claim is None


def test_an_approval_leaves_a_claim_as_it_is() -> None:
    assert with_approval({CLAIM: CLAIM_TEXT}, GOOD, SIGNED)[CLAIM] == CLAIM_TEXT
