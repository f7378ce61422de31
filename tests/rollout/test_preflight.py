"""Before the model is set: whether the image is there, which version is meant, and whether there is room."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import ABSENT, Availability, Model, Need, Observed, Verdict
from reconciler.rollout.preflight import exact_if_known, exact_spec
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel
from reconciler.rollout.traits import Plan, Traits
from reconciler.spec.image import GalleryImage, Image, PlatformImage, VhdImage, at_version, short
from reconciler.spec.scale_set import Health, ScaleSet
from tests.build import NEW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

LATEST = replace(NEW, version="latest")
DRIFTED = model(image=OLD)
CURRENT = fleet(*(outdated(n, latest_model=True) for n in range(10)))
GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/G/images/web/versions/"


@pytest.mark.parametrize(
    ("verdict", "evidence", "line"),
    [
        pytest.param(
            Verdict.NOT_FOUND,
            'Azure: "Artifact: VMImage was not found"',
            says("ImageNotFound", NEW, "spec.image"),
            id="an image that is not there",
        ),
        pytest.param(
            Verdict.NOT_REPLICATED,
            "it is in northeurope",
            says("ImageNotReplicated", NEW),
            id="an image that is elsewhere",
        ),
        pytest.param(
            Verdict.REPLICATING,
            "Azure reports Replicating, 40%",
            says("ImageReplicating", NEW, "40"),
            id="an image that is on its way",
        ),
        pytest.param(
            Verdict.DEPRECATED,
            "",
            says("ImageDeprecated", NEW),
            id="an image that is deprecated",
        ),
    ],
)
def test_an_image_that_cannot_be_had_is_not_put_into_the_model(
    verdict: Verdict, evidence: str, line: str
) -> None:
    seen = observed(model=DRIFTED, instances=CURRENT, availability=Availability(NEW, verdict, evidence))
    decision = decided(spec(), seen)
    assert (decision.line, decision.step) == (line, None)


def test_an_image_of_a_gallery_that_cannot_be_had_is_named_without_its_gallery() -> None:
    image = GalleryImage(f"{GALLERY}9.0.0")
    seen = observed(
        model=model(image=GalleryImage(f"{GALLERY}1.0.0")),
        instances=fleet(*(outdated(n, image=GalleryImage(f"{GALLERY}1.0.0")) for n in range(10))),
        availability=Availability(image, Verdict.NOT_FOUND),
    )
    decision = decided(spec(image=image), seen)
    assert decision.line == says("ImageNotFound", short(image))
    assert GALLERY not in decision.line


@pytest.mark.parametrize("verdict", [Verdict.AVAILABLE, Verdict.UNCHECKED])
def test_an_image_that_is_there_or_cannot_be_looked_up_is_put_into_the_model(verdict: Verdict) -> None:
    seen = observed(model=DRIFTED, instances=CURRENT, availability=Availability(NEW, verdict))
    assert decided(spec(), seen).step == PatchModel(NEW, '"4"')


def test_what_the_catalogue_warns_of_is_passed_on() -> None:
    warning = "scheduled for deprecation on 2026-12-01"
    seen = observed(
        model=DRIFTED, instances=CURRENT, availability=Availability(NEW, Verdict.AVAILABLE, warning)
    )
    assert decided(spec(), seen).line == says("ModelDrift", OLD.version, NEW.version, warning)


def test_a_rollout_under_way_does_not_ask_the_catalogue() -> None:
    assert decided(spec(), observed(availability=None)).reason == "Upgrading"


def test_latest_is_looked_up_before_anything_is_compared_with_it() -> None:
    assert decide(spec(image=LATEST), observed(instances=None, availability=None)) is Need.IMAGE


def test_latest_is_not_looked_up_for_what_is_refused_anyway() -> None:
    seen = observed(model=model(mode="Automatic"), instances=None, availability=None)
    assert decided(spec(image=LATEST), seen).reason == "NotManualMode"


@pytest.mark.parametrize(
    ("current", "found", "goal"),
    [
        pytest.param("24.04.9", "24.04.10", "24.04.10", id="a higher number"),
        pytest.param("24.04.10", "24.04.9", "24.04.10", id="never back, though 9 sorts after 10 as text"),
        pytest.param("24.04.9", "24.04.9", "24.04.9", id="the same"),
        pytest.param("latest", "24.04.9", "24.04.9", id="a model on latest itself is pinned"),
        pytest.param(
            "24.4.9",
            "24.04.9",
            "24.04.9",
            id="the same number is taken as the catalogue writes it, for so do instances",
        ),
    ],
)
def test_latest_is_the_highest_version_and_never_moves_back(current: str, found: str, goal: str) -> None:
    seen = observed(
        model=model(image=at_version(NEW, current)),
        instances=CURRENT,
        availability=Availability(at_version(NEW, found), Verdict.AVAILABLE),
    )
    decision = decided(spec(image=LATEST), seen)
    if current == goal:
        assert not isinstance(decision.step, PatchModel)
    else:
        assert decision.step == PatchModel(at_version(NEW, goal), '"4"')


@pytest.mark.parametrize(
    ("current", "found"),
    [
        pytest.param(
            PlatformImage("Canonical", "ubuntu-22_04-lts", "server", "99.0.0"),
            PlatformImage("Canonical", "ubuntu-24_04-lts", "server", "24.4.1"),
            id="of another offer",
        ),
        pytest.param(
            GalleryImage(f"{GALLERY.replace('web', 'api')}9.0.0"),
            GalleryImage(f"{GALLERY}1.0.0"),
            id="of another gallery image",
        ),
    ],
)
def test_a_higher_version_of_another_image_is_no_reason_to_stay(current: Image, found: Image) -> None:
    seen = observed(
        model=model(image=current),
        instances=CURRENT,
        availability=Availability(found, Verdict.AVAILABLE),
    )
    assert decided(spec(image=at_version(found, "latest")), seen).step == PatchModel(found, '"4"')


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        pytest.param(
            Verdict.NO_LATEST,
            says("NoLatestVersion", LATEST),
            id="there is none",
        ),
        pytest.param(
            Verdict.UNREADABLE,
            says("CatalogueUnreadable", LATEST),
            id="nobody can say",
        ),
    ],
)
def test_latest_that_is_unknown_is_reported_and_stops_no_rollout(verdict: Verdict, line: str) -> None:
    held = Availability(LATEST, verdict)
    other = replace(OLD, offer="ubuntu-22_04-lts")
    assert decided(spec(image=LATEST), observed(model=model(image=other), availability=held)).line == line
    assert decided(spec(image=LATEST), observed(model=model(image=LATEST), availability=held)).line == line
    assert decided(spec(image=LATEST), observed(availability=held)).reason == "Upgrading"


def test_instances_are_judged_by_the_exact_version_that_latest_means() -> None:
    seen = observed(
        instances=fleet(*(instance(n) for n in range(9))),
        availability=Availability(NEW, Verdict.AVAILABLE),
    )
    assert decided(spec(image=LATEST), seen).step is not None
    seen = replace(seen, instances=fleet(rest="upgraded"))
    assert decided(spec(image=LATEST), seen).line == says("UpToDate", "10", f"{NEW.version}")


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        pytest.param(10, "TooManyModels", id="ten others in use leave no room"),
        pytest.param(9, "ModelDrift", id="nine others leave room for one"),
        pytest.param(11, "TooManyModels", id="more than ten others leave no room"),
    ],
)
def test_azure_allows_ten_models_in_use(images: int, reason: str) -> None:
    old = tuple(
        outdated(n, image=at_version(OLD, f"24.4.{n % images}"), latest_model=n == 0) for n in range(12)
    )
    seen = observed(model=model(image=at_version(OLD, "24.4.0"), capacity=12), instances=old)
    assert decided(spec(), seen).reason == reason


def test_the_image_that_is_wanted_takes_no_room() -> None:
    old = tuple(outdated(n, image=at_version(OLD, f"24.4.{n}")) for n in range(9))
    seen = observed(model=DRIFTED, instances=(*old, instance(9)))
    assert decided(spec(), seen).reason == "ModelDrift"


def test_the_oldest_of_too_many_is_so_by_its_number() -> None:
    old = tuple(outdated(n, image=at_version(OLD, f"24.4.{n + 5}")) for n in range(10))
    seen = observed(model=model(image=at_version(OLD, "24.4.5")), instances=old)
    assert "the oldest image (24.4.5) " in decided(spec(), seen).message
    old = tuple(outdated(n, image=at_version(OLD, f"24.4.{n + 9}")) for n in range(10))
    assert "the oldest image (24.4.9) " in decided(spec(), replace(seen, instances=old)).message


def test_the_oldest_of_images_without_a_version_is_the_first_by_name_however_they_are_listed() -> None:
    vhds = [VhdImage(f"https://a.blob.core.windows.net/vhds/{letter}.vhd") for letter in "kjihgfedcba"]
    old = tuple(outdated(n, image=vhd) for n, vhd in enumerate(vhds[:10]))
    seen = observed(
        model=model(image=vhds[0]),
        instances=old,
        availability=Availability(vhds[10], Verdict.UNCHECKED),
    )
    assert "the oldest image (b.vhd) " in decided(spec(image=vhds[10]), seen).message


@pytest.mark.parametrize(
    ("on", "lack"),
    [
        pytest.param(OLD, ("another pending model change to the only instance",), id="on a version"),
        pytest.param(
            LATEST,
            ("another pending model change to the only instance",),
            id="on latest, whichever version that was",
        ),
        pytest.param(
            replace(OLD, offer="ubuntu-22_04-lts"), (), id="on another image, which is the change itself"
        ),
    ],
)
def test_the_line_names_what_else_the_upgrade_changes(on: Image, lack: tuple[str, ...]) -> None:
    seen = observed(model=model(image=on, capacity=1), instances=fleet(outdated(0), of=1))
    assert decided(spec(), seen).line == says("ModelDrift", NEW.version, *lack)


PLAN = Plan("contoso", "firewall", "byol")


@pytest.mark.parametrize(
    ("of_model", "wanted", "current", "found"),
    [
        pytest.param(
            {}, Traits(generation="V2"), Traits(generation="V1"),
            ("generation V2", "runs V1"),
            id="another generation",
        ),
        pytest.param(
            {}, Traits(architecture="Arm64"), Traits(architecture="x64"),
            ("Arm64", "runs x64"),
            id="another architecture",
        ),
        pytest.param(
            {"disk_size": 30}, Traits(disk_size=64), Traits(),
            ("64 GB", "30 GB", "osDisk.diskSizeGB"),
            id="a disk that is too small",
        ),
        pytest.param(
            {}, Traits(security_type="TrustedLaunch"), Traits(),
            ("TrustedLaunch", "Standard"),
            id="an image for Trusted Launch alone",
        ),
        pytest.param(
            {"security_type": "TrustedLaunch"}, Traits(security_type="ConfidentialVmSupported"), Traits(),
            ("ConfidentialVmSupported", "TrustedLaunch"),
            id="an image that does not support the scale set's security type",
        ),
        pytest.param(
            {}, Traits(plan=PLAN), Traits(),
            ("contoso:firewall:byol", "none"),
            id="a plan that the scale set lacks",
        ),
        pytest.param(
            {"plan": Plan("contoso", "firewall", "hourly")}, Traits(plan=PLAN), Traits(),
            ("contoso:firewall:byol", "contoso:firewall:hourly"),
            id="another plan",
        ),
        pytest.param(
            {"disk_size": 30}, Traits(generation="V2", disk_size=32), Traits(generation="V1"),
            ("generation V2", "runs V1", "32 GB", "30 GB"),
            id="two things at once",
        ),
    ],
)  # fmt: skip
def test_an_image_that_does_not_fit_is_not_put_into_the_model(
    of_model: dict[str, Any], wanted: Traits, current: Traits, found: tuple[str, ...]
) -> None:
    available = Availability(NEW, Verdict.AVAILABLE, traits=wanted, current=current)
    decision = decided(
        spec(), observed(model=replace(DRIFTED, **of_model), instances=CURRENT, availability=available)
    )
    assert (decision.line, decision.step) == (says("ImageIncompatible", NEW.version, *found), None)


@pytest.mark.parametrize(
    ("of_model", "wanted", "current"),
    [
        pytest.param({}, None, None, id="nothing is reported"),
        pytest.param({}, Traits("V2", "x64", 30), Traits(), id="nothing is reported of the one that is left"),
        pytest.param({}, Traits(), Traits("V1", "Arm64"), id="nothing is reported of the one that is wanted"),
        pytest.param({"disk_size": 30}, Traits("V2", "x64", 30), Traits("V2", "x64", 64), id="it fits"),
        pytest.param({}, Traits(disk_size=64), Traits(), id="a disk without a size of its own"),
        pytest.param({"disk_size": 30}, Traits(disk_size=31), Traits(), id="a size that is rounded up"),
        pytest.param({}, Traits(security_type="TrustedLaunchSupported"), Traits(), id="Trusted Launch is optional"),
        pytest.param(
            {"security_type": "TrustedLaunch"}, Traits(security_type="TrustedLaunch"), Traits(),
            id="Trusted Launch is needed and there",
        ),
        pytest.param(
            {"security_type": "ConfidentialVM"}, Traits(security_type="TrustedLaunchAndConfidentialVmSupported"),
            Traits(), id="one of two that are supported",
        ),
        pytest.param({"security_type": "TrustedLaunch"}, Traits(security_type="NewType"), Traits(), id="a new type"),
        pytest.param({"plan": PLAN}, Traits(plan=PLAN), Traits(), id="its plan"),
        pytest.param({"plan": PLAN}, Traits(), Traits(), id="an image without a plan"),
        pytest.param({}, Traits(generation="v2"), Traits(generation="V2"), id="a generation in another case"),
        pytest.param({}, Traits(architecture="X64"), Traits(architecture="x64"), id="an architecture in another case"),
        pytest.param(
            {"plan": Plan("Contoso", "Firewall", "BYOL")}, Traits(plan=PLAN), Traits(), id="its plan in another case"
        ),
        pytest.param({}, Traits(plan=PLAN), Traits(plan=PLAN), id="the plan of the image that it runs already"),
    ],
)  # fmt: skip
def test_known_fits_and_unknown_traits_block_nothing(
    of_model: dict[str, Any], wanted: Traits | None, current: Traits | None
) -> None:
    available = Availability(NEW, Verdict.AVAILABLE, traits=wanted, current=current)
    decision = decided(
        spec(), observed(model=replace(DRIFTED, **of_model), instances=CURRENT, availability=available)
    )
    assert isinstance(decision.step, PatchModel)


SLOW = model(os_image_notice=timedelta(minutes=15), health_grace=timedelta(minutes=3))
FOUND = Availability(NEW, Verdict.AVAILABLE)


def exact(image: Image, timeout: int) -> ScaleSet:
    """A spec of this image, where an upgrade may take so many minutes."""
    return spec(image=image, health=Health(timedelta(minutes=timeout), passes=1))


@pytest.mark.parametrize(
    ("image", "of_model", "availability", "found"),
    [
        pytest.param(NEW, model(), None, exact(NEW, 10), id="an exact image is exact, whatever was read"),
        pytest.param(
            NEW, SLOW, None, exact(NEW, 28), id="an upgrade takes longer by the notice and the grace period"
        ),
        pytest.param(
            LATEST, SLOW, FOUND, exact(NEW, 28), id="of latest the newest, as long as that may take"
        ),
        pytest.param(LATEST, model(), None, None, id="latest, and the catalogue was not asked"),
        pytest.param(
            LATEST,
            DRIFTED,
            Availability(LATEST, Verdict.UNREADABLE),
            exact(OLD, 10),
            id="latest, and the catalogue does not answer: the version that the model is on",
        ),
        pytest.param(
            LATEST,
            model(image=LATEST),
            Availability(LATEST, Verdict.UNREADABLE, "403"),
            Decision(Reason.CATALOGUE_UNREADABLE, f"could not resolve {LATEST} to a version: 403"),
            id="latest, and neither the catalogue nor the model tells a version",
        ),
    ],
)
def test_the_exact_spec(
    image: Image, of_model: Model, availability: Availability | None, found: ScaleSet | Decision | None
) -> None:
    assert exact_spec(spec(image=image), of_model, availability) == found


@pytest.mark.parametrize(
    ("image", "seen", "known"),
    [
        pytest.param(NEW, observed(model=None), exact(NEW, 10), id="the scale set was not read"),
        pytest.param(LATEST, observed(model=ABSENT), exact(LATEST, 10), id="there is no such scale set"),
        pytest.param(NEW, observed(model=SLOW), exact(NEW, 28), id="an exact image"),
        pytest.param(
            LATEST, observed(model=SLOW), exact(NEW, 28), id="latest, and the catalogue tells which that is"
        ),
        pytest.param(
            LATEST,
            observed(model=SLOW, availability=None),
            exact(LATEST, 10),
            id="latest, and the catalogue was not asked",
        ),
        pytest.param(
            LATEST,
            observed(model=model(image=LATEST), availability=Availability(LATEST, Verdict.UNREADABLE)),
            exact(LATEST, 10),
            id="latest, and nothing tells which that is",
        ),
    ],
)
def test_a_spec_is_exact_where_what_was_seen_tells_and_as_declared_elsewhere(
    image: Image, seen: Observed, known: ScaleSet
) -> None:
    assert exact_if_known(spec(image=image), seen) == known
