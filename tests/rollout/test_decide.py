"""The ladder, rung by rung: what is seen, and the one line that is decided."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.rollout.claim import Claim
from reconciler.rollout.decide import decide
from reconciler.rollout.observed import (
    ABSENT,
    Availability,
    HealthSource,
    Instance,
    Need,
    Observed,
    ReadTime,
    RollingUpgrade,
    Verdict,
)
from reconciler.rollout.pause import Pause
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.image import ManagedImage, PlatformImage, VhdImage
from reconciler.spec.scale_set import Approval, By, Canary, Converge, ScaleSet
from reconciler.spec.suspension import Suspension
from tests.build import FIX, FLEET, NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

HOUR = timedelta(hours=1)
SHOUTED = PlatformImage(NEW.publisher.upper(), NEW.offer.upper(), NEW.sku.upper(), NEW.version)

LOAD_TEST = Suspension("load test")


def sick(number: int) -> Instance:
    return outdated(number, health="unhealthy")


# All on OLD while the model still is: nothing else is pending.
CURRENT = fleet(*(outdated(n, latest_model=True) for n in range(10)))


@pytest.mark.parametrize(
    ("desired", "seen", "line"),
    [
        pytest.param(
            spec(suspend=Suspension()),
            observed(model=ABSENT),
            says("Suspended", "spec.suspend"),
            id="a suspended spec is left alone, whatever is there",
        ),
        pytest.param(
            spec(suspend=Suspension("load test", "ada", NOW + HOUR)),
            observed(),
            says("Suspended", "2026-01-05 10:00 UTC"),
            id="who suspended it, why and until when is said",
        ),
        pytest.param(
            spec(suspend=Suspension("load test")),
            observed(),
            says("Suspended"),
            id="a suspension without an end",
        ),
        pytest.param(
            spec(suspend=Suspension("load test", "ada", NOW)),
            observed(),
            says("SuspensionExpired", "2026-01-05 09:00 UTC", "spec.suspend"),
            id="an expired suspension is reported and still applies",
        ),
        pytest.param(
            spec(),
            observed(model=ABSENT),
            says(
                "NotFound",
                "scale set web in resource group shop of subscription 11111111-1111-1111-1111-111111111111",
            ),
            id="an absent scale set is named in full",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(orchestration="Flexible", capacity=3),
                instances=tuple(
                    outdated(n, id=f"web_{n}f3", zone=f"{n % 2 + 1}", update_domain=None, fault_domain=None)
                    for n in range(3)
                ),
            ),
            says("Upgrading", "zone 1", "24.04.202601140", "web_0", "0 of 3"),
            id="Flexible orchestration has no update domains and goes by zone",
        ),
        pytest.param(
            spec(),
            observed(model=model(owner="Azure Kubernetes Service", service_fabric=True)),
            says("ManagedByAnother"),
            id="a scale set of another controller is refused before all else",
        ),
        pytest.param(
            spec(),
            observed(model=model(persisted=PersistedState(fleet="shop"), mode="Automatic"), instances=None),
            says("OwnedByAnotherFleet", "`reconciler adopt --take-over web`"),
            id="a scale set of another fleet is refused, before its mode is complained about",
        ),
        pytest.param(
            spec(),
            observed(model=model(has_profile=False, orchestration="Flexible", image=None)),
            says("NoProfile"),
            id="a scale set without a profile is refused",
        ),
        pytest.param(
            spec(),
            observed(model=model(image=OLD, etag="")),
            says("EtagMissing"),
            id="a model without an etag is not changed",
        ),
        pytest.param(
            spec(),
            observed(model=model(etag=""), instances=fleet(rest="upgraded")),
            says("UpToDate", "10", "24.04.202601140"),
            id="without an etag an up-to-date scale set is up to date",
        ),
        pytest.param(
            spec(),
            observed(
                instances=(
                    *fleet(rest="upgraded", of=9),
                    outdated(9, name="pet", is_attached=True, provisioning=""),
                )
            ),
            says("UpToDate", "9", "24.04.202601140"),
            id="a machine that was attached by hand is named and not touched, whatever its state",
        ),
        pytest.param(
            spec(),
            observed(model=model(capacity=1), instances=(outdated(9, name="pet", is_attached=True),)),
            says("InstancesLeftOut", "24.04.202601140"),
            id="a scale set of nothing but such machines is not called up to date",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(*(outdated(n, power="", health="") for n in range(10)))),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="of instances whose state is unknown one domain is upgraded",
        ),
        pytest.param(
            spec(approval=Approval.START),
            observed(instances=fleet(*(outdated(n, power="unknown", health="") for n in range(10)))),
            says("AwaitingApproval", "24.04.202601140", "`reconciler approve web`"),
            id="an instance whose state is unknown passes no gate",
        ),
        pytest.param(
            spec(),
            observed(model=model(service_fabric=True, mode="Automatic")),
            says("ServiceFabric"),
            id="Service Fabric is refused, before its mode is complained about",
        ),
        pytest.param(
            spec(),
            observed(model=model(mode="Automatic")),
            says("NotManualMode", "Automatic", "upgradePolicy.mode", "Manual"),
            id="Automatic mode is refused",
        ),
        pytest.param(
            spec(),
            observed(model=model(mode="Rolling", image=OLD)),
            says("NotManualMode", "Rolling", "upgradePolicy.mode", "Manual"),
            id="Rolling mode is refused before the model is touched",
        ),
        pytest.param(
            spec(),
            observed(model=model(mode="")),
            says("NotManualMode", "upgradePolicy.mode", "Manual"),
            id="a mode that Azure does not tell is not taken for Manual",
        ),
        pytest.param(
            spec(),
            observed(rolling_upgrade=RollingUpgrade("RollingBack")),
            says("NativeUpgradeInProgress", "(RollingBack)"),
            id="Azure's own rolling upgrade that rolls back is refused too",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, provisioning=""))),
            says("PartialRead", "web_3"),
            id="a row without a provisioning state is a partial read",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, since=None))),
            says("PartialRead", "web_3"),
            id="a row that does not say since when is a partial read",
        ),
        pytest.param(
            spec(),
            observed(model=model(automatic_os_upgrade=True)),
            says("AutomaticOSUpgrade", "upgradePolicy.automaticOSUpgradePolicy"),
            id="automatic OS image upgrade is refused",
        ),
        pytest.param(
            spec(),
            observed(rolling_upgrade=RollingUpgrade("RollingForward")),
            says("NativeUpgradeInProgress", "(RollingForward)"),
            id="a rolling upgrade that somebody started natively is waited for",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(persisted=PersistedState(claim=Claim("1", "ada", NOW + timedelta(minutes=9))))
            ),
            says("Claimed", "ada", "2026-01-05 09:09 UTC"),
            id="a scale set that `reconciler upgrade` has claimed is left to it",
        ),
        pytest.param(
            spec(),
            observed(model=model(image=None)),
            says("ImageUnreadable"),
            id="a model without a readable image is not touched",
        ),
        pytest.param(
            spec(image=VhdImage("https://a.blob.core.windows.net/vhds/b.vhd")),
            observed(model=model(image=ManagedImage("/subscriptions/s/images/a"))),
            says("ImageTypeImmutable"),
            id="a change of the image's kind is refused",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, image=None), rest="upgraded")),
            says("InstancesLeftOut", "9 of 10", "24.04.202601140", "web_3 (Azure reports no image)"),
            id="an instance without a reported image is not upgraded again and again",
        ),
        pytest.param(
            spec(),
            observed(model=model(provisioning="deleting", image=OLD)),
            says("AzureUpdating", "deleting"),
            id="a scale set that is being deleted is not patched",
        ),
        pytest.param(
            spec(),
            observed(model=model(provisioning="migrating", image=OLD)),
            says("AzureUpdating", "migrating"),
            id="a scale set that is being migrated is not patched",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(provisioning="updating"),
                instances=fleet(*(outdated(n, since=NOW - HOUR) for n in range(10))),
            ),
            says("AzureUpdating", "updating"),
            id="instances that have been at rest for long are not stuck",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(image=SHOUTED), instances=fleet(*(instance(n, image=SHOUTED) for n in range(10)))
            ),
            says("UpToDate", "10", "24.04.202601140"),
            id="an image in other capitals is the same image",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(0, provisioning="deleting"), rest="upgraded")),
            says("UpToDate", "9", "24.04.202601140"),
            id="an outdated instance that is being deleted is not left out",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(health_source=HealthSource.NONE),
                instances=fleet(
                    *(outdated(n, health="", has_health_extension=False) for n in (0, 5)),
                    outdated(3, health="", has_health_extension=False, power="stopped"),
                ),
            ),
            says("Upgrading", "update domain 3", "1", "24.04.202601140", "web_3", "0 of 10"),
            id="without a health source, what does not run goes first",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(0, provisioning="updating", since=None))),
            says("WaitingForInstances", "update domain 0", "web_0 (updating)", "0 of 10"),
            id="an instance in transition without a known time is waited for",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0, power="stopped", since=NOW - HOUR))),
            says("HealthCheckFailed", "update domain 0", "web_0 (stopped)", "10m"),
            id="what a person must do about one that is stopped is said",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, fault_domain=None), outdated(7, placement_group=""))),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="one instance that is not placed yet does not change the ordering",
        ),
        pytest.param(
            spec(),
            observed(
                model_read=ReadTime(NOW - timedelta(seconds=10), NOW - timedelta(seconds=10)),
                last_need=Need.MODEL,
            ),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="a model seen ten seconds ago will do",
        ),
        pytest.param(
            spec(),
            observed(model=model(provisioning="updating", image=OLD)),
            says("AzureUpdating", "updating"),
            id="nothing is started while Azure is still at work, not even a patch",
        ),
        pytest.param(
            spec(),
            observed(model=model(image=OLD), instances=fleet(of=9)),
            says("PartialRead", "9", "10"),
            id="the model is not set on a partial read either",
        ),
        pytest.param(
            spec(),
            observed(model=model(image=OLD, capacity=1), instances=fleet(outdated(0), of=1)),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "the only instance"),
            id="what else an upgrade will bring along is said before it happens",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(image=OLD), instances=(outdated(0, image=None, latest_model=False), *CURRENT[1:])
            ),
            says("ModelDrift", "24.04.202601010", "24.04.202601140"),
            id="what an instance lacks that shows no image cannot be said",
        ),
        pytest.param(
            spec(),
            observed(model=model(image=OLD), instances=CURRENT),
            says("ModelDrift", "24.04.202601010", "24.04.202601140"),
            id="a model on another image is patched",
        ),
        pytest.param(
            spec(),
            observed(model=model(image=OLD, provisioning="failed"), instances=CURRENT),
            says("ModelDrift", "24.04.202601010", "24.04.202601140"),
            id="a failed scale set does not block its remediation",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(of=9)),
            says("PartialRead", "9", "10"),
            id="fewer rows than the capacity are a partial read",
        ),
        pytest.param(
            spec(),
            observed(instances=(*fleet(of=9), outdated(3))),
            says("PartialRead"),
            id="an instance that is listed twice hides one that is not listed",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, provisioning="", power=""))),
            says("PartialRead", "web_3"),
            id="a row without a state is a partial read",
        ),
        pytest.param(
            spec(by=By.ZONE),
            observed(model=model(image=OLD)),
            says("DomainsUnknown", "rollout.by"),
            id="an ordering that cannot be followed is refused before the model is set",
        ),
        pytest.param(
            spec(canary=Canary(("77",), timedelta())),
            observed(model=model(image=OLD)),
            says("CanaryMissing", "rollout.canary", "77"),
            id="a canary that does not exist is refused before the model is set",
        ),
        pytest.param(
            spec(canary=Canary(("0",), timedelta())),
            observed(model=model(image=OLD), instances=(outdated(0, provisioning="updating"), *CURRENT[1:])),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "1 of 10"),
            id="one that Azure is changing is there",
        ),
        pytest.param(
            spec(canary=Canary(("77",), timedelta())),
            observed(model=model(image=OLD, capacity=0), instances=()),
            says("ModelDrift", "24.04.202601010", "24.04.202601140"),
            id="where there are no instances none is missing",
        ),
        pytest.param(
            spec(canary=Canary(("77",), timedelta())),
            observed(model=model(image=OLD), instances=fleet(*(sick(n) for n in (0, 1, 2)))),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "all 10 instances"),
            id="a fix is not delayed by a canary",
        ),
        pytest.param(
            spec(by=By.ZONE),
            observed(model=model(image=OLD), instances=fleet(*(sick(n) for n in (0, 1, 2)))),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "all 10 instances"),
            id="a fix is not delayed by unknown domains",
        ),
        pytest.param(
            spec(canary=Canary(("77",), timedelta())),
            observed(model=model(image=OLD), instances=fleet(instance(0))),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "9 of 10"),
            id="a revert to an image that instances run already is not delayed",
        ),
        pytest.param(
            spec(canary=Canary(("77",), timedelta()), converge=Converge.MODEL),
            observed(
                model=model(image=OLD),
                instances=fleet(instance(0, latest_model=False), outdated(1, image=None)),
            ),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "8 of 10"),
            id="by image, whatever else is to converge",
        ),
        pytest.param(
            spec(by=By.ZONE),
            observed(),
            says("DomainsUnknown", "rollout.by"),
            id="an ordering by zones that do not exist is refused",
        ),
        pytest.param(
            spec(),
            observed(),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="the first domain goes first",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5))),
            says("Upgrading", "update domain 1", "24.04.202601140", "web_1", "web_6", "2 of 10"),
            id="the second goes once the first is back",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5, health="initializing"))),
            says("WaitingForInstances", "update domain 0", "web_5 (initializing)", "2 of 10"),
            id="an upgraded instance that is still initializing is waited for",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5, health=""))),
            says("WaitingForInstances", "update domain 0", "web_5 (no health reported yet)", "2 of 10"),
            id="an upgraded instance whose extension has not spoken yet is waited for",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), outdated(5, provisioning="updating", power="stopping"))),
            says("WaitingForInstances", "update domain 0", "web_5 (updating)", "1 of 10"),
            id="an instance under upgrade is waited for, though it still shows the old image",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5, health="unhealthy"))),
            says("WaitingForInstances", "update domain 0", "web_5 (unhealthy)", "2 of 10"),
            id="an upgraded instance that is unhealthy stops everything",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5, health="unknown"))),
            says("WaitingForInstances", "update domain 0", "web_5 (health unknown)", "2 of 10"),
            id="unknown health counts as unhealthy",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0), instance(5, power="stopped"))),
            says("WaitingForInstances", "update domain 0", "web_5 (stopped)", "2 of 10"),
            id="an upgraded instance whose guest powered itself off stops everything",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(5, health="unhealthy", since=NOW - timedelta(minutes=11)))),
            says("HealthCheckFailed", "update domain 0", "web_5 (unhealthy)", "10m"),
            id="past the timeout the wait is called what it is",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(5, health="unhealthy", since=NOW - timedelta(minutes=10)))),
            says("WaitingForInstances", "update domain 0", "web_5 (unhealthy)", "1 of 10"),
            id="at the timeout to the second it is still a wait",
        ),
        pytest.param(
            spec(),
            observed(
                instances=fleet(
                    instance(5, provisioning="failed", error="OSProvisioningTimedOut", power="running")
                )
            ),
            says(
                "WaitingForInstances",
                "update domain 0",
                "web_5 (failed with OSProvisioningTimedOut)",
                "1 of 10",
            ),
            id="an upgrade that failed on the new image stops everything and is quoted",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, health="unhealthy"), outdated(9, health="unhealthy"))),
            says("Upgrading", "update domain 3", "1", "24.04.202601140", "web_3", "0 of 10"),
            id="instances unhealthy before the rollout go first, alone and one domain at a time",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(0, protected=True), outdated(5, protected=True))),
            says("Upgrading", "update domain 1", "2", "24.04.202601140", "web_1", "web_6", "0 of 10"),
            id="protected instances are passed over",
        ),
        pytest.param(
            spec(),
            observed(
                instances=fleet(
                    outdated(0, protected=True), outdated(5, power="deallocated", health=""), rest="upgraded"
                )
            ),
            says(
                "InstancesLeftOut",
                "8 of 10",
                "24.04.202601140",
                "web_0 (protected from scale set actions)",
                "web_5 (deallocated)",
            ),
            id="what cannot be upgraded is named with its reason and does not block",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(4, power="deallocated", health=""))),
            says("Upgrading", "update domain 0", "24.04.202601140", "web_0", "1 of 10"),
            id="an upgraded instance that was deallocated since does not block",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(3, provisioning="deleting"), of=10)),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 9"),
            id="an instance that is being deleted is not counted",
        ),
        pytest.param(
            spec(),
            observed(instances=(*fleet(), instance(10, provisioning="creating", power="", health=""))),
            says("WaitingForInstances", "update domain 0", "web_10 (creating)", "1 of 11"),
            id="an instance that scales out meanwhile is waited for",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(rest="upgraded")),
            says("UpToDate", "10", "24.04.202601140"),
            id="all on the image and healthy is up to date",
        ),
        pytest.param(
            spec(),
            observed(model=model(capacity=1), instances=(instance(0),)),
            says("UpToDate", "24.04.202601140"),
            id="a scale set of one instance on the image and healthy is up to date",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(instance(0, latest_model=False), rest="upgraded")),
            says("UpToDate", "10", "24.04.202601140", "1", "converge: model"),
            id="what one of them lacks besides is reported",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(persisted=PersistedState(last_good=NEW, failed=Fingerprint.of(FIX))),
                instances=fleet(instance(0, latest_model=False), rest="upgraded"),
            ),
            says("UpToDate", "10", "24.04.202601140", "1", "24.04.202602020", "converge: model"),
            id="after an image failed it may be no change at all",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(FIX))),
                instances=fleet(instance(0, latest_model=False), rest="upgraded"),
            ),
            says("UpToDate", "10", "24.04.202601140", "1", "converge: model"),
            id="a pending change is an ordinary one once the model has another image",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(
                    image=OLD, persisted=PersistedState(last_good=OLD, failed=Fingerprint.of(FIX)), capacity=1
                ),
                instances=(outdated(0),),
            ),
            says("ModelDrift", "24.04.202601010", "24.04.202601140", "the only instance", "24.04.202602020"),
            id="which is said when the next one comes",
        ),
        pytest.param(
            spec(),
            observed(model=model(capacity=0), instances=()),
            says("UpToDate", "24.04.202601140"),
            id="a scale set of none is up to date by its model",
        ),
        pytest.param(
            spec(),
            observed(instances=tuple(replace(each, latest_model=False) for each in fleet(rest="upgraded"))),
            says("UpToDate", "10", "24.04.202601140", "converge: model"),
            id="another writer's pending change is reported and not rolled",
        ),
        pytest.param(
            spec(converge=Converge.MODEL),
            observed(instances=tuple(replace(each, latest_model=False) for each in fleet(rest="upgraded"))),
            says("Upgrading", "update domain 0", "2", "24.04.202601140", "web_0", "web_5", "0 of 10"),
            id="it is rolled where the spec says converge: model",
        ),
        pytest.param(
            spec(),
            observed(instances=fleet(outdated(0, latest_model=True), rest="upgraded")),
            says("Upgrading", "update domain 0", "1", "24.04.202601140", "web_0", "9 of 10"),
            id="latestModelApplied true beside a wrong image counts as outdated",
        ),
        pytest.param(
            spec(max_batch=Count(1)),
            observed(),
            says("Upgrading", "update domain 0", "1", "24.04.202601140", "web_0", "0 of 10"),
            id="a domain larger than the batch is taken in batches",
        ),
        pytest.param(
            spec(max_batch=Count(1)),
            observed(instances=fleet(instance(0, health="initializing"))),
            says("WaitingForInstances", "update domain 0", "web_0 (initializing)", "1 of 10"),
            id="the second batch of a domain waits for the first",
        ),
        pytest.param(
            spec(by=By.BATCH, max_batch=Percent(30)),
            observed(),
            says("Upgrading", "3", "24.04.202601140", "web_0", "web_1", "web_2", "0 of 10"),
            id="fixed batches go by number",
        ),
        pytest.param(
            spec(by=By.FAULT_DOMAIN, max_batch=Percent(100)),
            observed(),
            says(
                "Upgrading",
                "fault domain 0",
                "4",
                "24.04.202601140",
                "web_0",
                "web_3",
                "web_6",
                "web_9",
                "0 of 10",
            ),
            id="fault domains go by their number",
        ),
        pytest.param(
            spec(),
            observed(
                model=model(health_source=HealthSource.NONE),
                instances=fleet(*(instance(number, health="") for number in (0, 5))),
            ),
            says("Upgrading", "update domain 1", "24.04.202601140", "web_1", "web_6", "2 of 10"),
            id="without a health source a running instance is back",
        ),
    ],
)
def test_the_line(desired: Any, seen: Any, line: str) -> None:
    assert decided(desired, seen).line == line


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Observed(NOW), Need.MODEL, id="the scale set is read"),
        pytest.param(observed(instances=None), Need.INSTANCES, id="the instances are read to be counted"),
        pytest.param(observed(), "0 of 10 instances up to date", id="they are counted"),
        pytest.param(observed(instances=fleet()[:9]), None, id="a partial list is not counted"),
        pytest.param(observed(model=ABSENT), None, id="a scale set that is not there is left alone too"),
    ],
)
@pytest.mark.parametrize(
    "held",
    [
        pytest.param(spec(suspend=LOAD_TEST), id="suspended"),
        pytest.param(spec(fleet=replace(FLEET, freeze=Suspension("year-end"))), id="frozen"),
    ],
)
def test_what_is_left_alone_is_counted_and_no_more(
    held: ScaleSet, seen: Observed, expected: Need | str | None
) -> None:
    decision = decide(held, seen)
    if isinstance(decision, Need):
        assert decision is expected
        return
    assert decision.step is None
    assert decision.reason.meaning.hold
    assert (decision.counts.summary if decision.counts else None) == expected


@pytest.mark.parametrize(
    ("desired", "seen", "line", "total"),
    [
        pytest.param(
            spec(suspend=LOAD_TEST),
            observed(),
            says("Suspended", "24.04.202601140"),
            10,
            id="the declared image, on which no instance has been healthy",
        ),
        pytest.param(
            spec(suspend=LOAD_TEST),
            observed(instances=fleet(instance(0))),
            says("Suspended"),
            10,
            id="the declared image, on which an instance is healthy",
        ),
        pytest.param(
            spec(suspend=LOAD_TEST),
            observed(model=model(capacity=0), instances=()),
            says("Suspended"),
            0,
            id="the declared image, of a scale set of none",
        ),
        pytest.param(
            spec(image=FIX, suspend=LOAD_TEST),
            observed(model=model(persisted=PersistedState(failed=Fingerprint.of(NEW)))),
            says("Suspended", "24.04.202601140"),
            10,
            id="an image that failed here, while another is declared",
        ),
        pytest.param(
            spec(image=FIX, suspend=LOAD_TEST),
            observed(model=model(persisted=PersistedState(failed=Fingerprint.of(OLD)))),
            says("Suspended"),
            10,
            id="an image that is not the one that failed, while another is declared",
        ),
    ],
)
def test_a_hold_says_whether_new_instances_get_an_image_that_is_not_proven(
    desired: ScaleSet, seen: Observed, line: str, total: int
) -> None:
    held = decided(desired, seen)
    assert held.line == line
    assert held.counts is not None
    assert held.counts.total == total


@pytest.mark.parametrize(
    ("seen_at", "reason"),
    [
        pytest.param(NOW - timedelta(minutes=6), Reason.PROGRESS_DEADLINE_EXCEEDED, id="six minutes count"),
        pytest.param(NOW - timedelta(minutes=7), Reason.WAITING_FOR_INSTANCES, id="seven minutes do not"),
    ],
)
def test_a_gap_between_two_observations_does_not_count_as_waiting(seen_at: datetime, reason: Reason) -> None:
    """An hour and a minute after the wait began, with a deadline of an hour."""
    progress = Progress(waiting_since=NOW - timedelta(minutes=61), seen_at=seen_at)
    seen = observed(instances=fleet(instance(0, health="unhealthy")), progress=progress)
    assert decided(spec(), seen).reason is reason


def test_a_pause_of_the_scale_set_is_read_from_its_tag() -> None:
    paused = model(persisted=PersistedState(pause=Pause("checkout is down")))
    assert decided(spec(), observed(model=paused)).reason is Reason.PAUSED


def test_a_patch_carries_the_image_and_the_etag_that_was_seen() -> None:
    decision = decided(spec(), observed(model=model(image=OLD, etag='"7"')))
    assert isinstance(decision.step, PatchModel)
    assert (decision.step.image, decision.step.etag) == (NEW, '"7"')


def test_an_upgrade_names_the_instances_of_one_domain() -> None:
    assert decided(spec(), observed()).step == Upgrade(("0", "5"), NEW)


@pytest.mark.parametrize(
    ("seen", "look"),
    [
        pytest.param(Observed(NOW), Need.MODEL, id="the scale set itself comes first"),
        pytest.param(
            observed(model_read=ReadTime(NOW - timedelta(seconds=11), NOW - timedelta(seconds=11))),
            Need.MODEL,
            id="a model that was listed a while ago is read again before a step",
        ),
        pytest.param(
            observed(instances=None, rolling_upgrade=None),
            Need.INSTANCES,
            id="instances are read only once the model is right",
        ),
        pytest.param(
            observed(model=model(image=OLD), instances=None, availability=None, rolling_upgrade=None),
            Need.IMAGE,
            id="a patch needs the image to be there",
        ),
        pytest.param(
            observed(model=model(image=OLD), instances=None, rolling_upgrade=None),
            Need.INSTANCES,
            id="then it wants to say what else the instances lack",
        ),
        pytest.param(
            observed(model=model(image=OLD), rolling_upgrade=None),
            Need.ROLLING_UPGRADE,
            id="a patch needs the word that Azure rolls nothing itself",
        ),
        pytest.param(
            observed(rolling_upgrade=None),
            Need.ROLLING_UPGRADE,
            id="an upgrade needs the word that Azure rolls nothing itself",
        ),
    ],
)
def test_a_fact_that_costs_a_request_is_asked_for_on_its_rung(seen: Any, look: Need) -> None:
    assert decide(spec(), seen) is look


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(observed(model=ABSENT, instances=None, rolling_upgrade=None), id="absent"),
        pytest.param(
            observed(model=model(mode="Automatic"), instances=None, rolling_upgrade=None), id="refused"
        ),
        pytest.param(
            observed(model=model(provisioning="creating"), instances=None, rolling_upgrade=None),
            id="being made",
        ),
        pytest.param(
            observed(
                model=model(provisioning="updating"),
                instances=None,
                rolling_upgrade=None,
                attempt=Attempt(Upgrade(("0",), NEW), NOW - timedelta(minutes=10)),
            ),
            id="busy with our own step",
        ),
        pytest.param(observed(instances=fleet(rest="upgraded"), rolling_upgrade=None), id="settled"),
        pytest.param(
            observed(
                instances=fleet(rest="upgraded"),
                model_read=ReadTime(NOW - timedelta(minutes=3), NOW - timedelta(minutes=3)),
                rolling_upgrade=None,
            ),
            id="settled by a row of a list that waited for its turn",
        ),
    ],
)
def test_nothing_more_is_read_if_nothing_is_to_be_done(seen: Any) -> None:
    assert decided(spec(), seen).step is None


@pytest.mark.parametrize(
    ("since", "step"),
    [
        pytest.param(timedelta(minutes=4, seconds=59), None, id="not again within five minutes"),
        pytest.param(timedelta(minutes=5), Upgrade(("0", "5"), NEW), id="again after five minutes"),
        pytest.param(HOUR, Upgrade(("0", "5"), NEW), id="again after any longer time"),
    ],
)
def test_a_step_that_azure_accepted_and_that_shows_no_effect_is_not_repeated_at_once(
    since: timedelta, step: Upgrade | None
) -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - since)
    assert decided(spec(), observed(attempt=attempt)).step == step


def test_a_withheld_step_says_when_it_was_asked_for_and_when_it_will_be_again() -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - timedelta(minutes=1))
    assert decided(spec(), observed(attempt=attempt)).line == (
        says("NoEffect", "0", "5", "24.04.202601140", "08:59:00", "09:04:00")
    )


@pytest.mark.parametrize(
    ("desired", "instances", "is_withheld"),
    [
        pytest.param(spec(by=By.BATCH), fleet(), True, id="the ordering was edited meanwhile"),
        pytest.param(
            spec(), fleet(outdated(3, health="unhealthy")), True, id="another instance became unhealthy"
        ),
        pytest.param(
            spec(),
            fleet(instance(0), instance(5)),
            False,
            id="the list shows that they are done",
        ),
        pytest.param(
            spec(),
            fleet(
                *(outdated(n, provisioning="failed", health="unknown", since=NOW) for n in (0, 5)),
                outdated(3, health="unhealthy"),
            ),
            True,
            id="they failed, and are the next again",
        ),
        pytest.param(
            spec(by=By.BATCH, max_batch=Count(1)),
            fleet(*(outdated(n, provisioning="failed", health="unknown", since=NOW) for n in (0, 5))),
            False,
            id="they failed, and a smaller batch takes one of them",
        ),
        pytest.param(
            spec(by=By.BATCH, max_batch=Count(1)),
            fleet(*(outdated(n, provisioning="failed", health="unknown", since=NOW - HOUR) for n in (0, 5))),
            True,
            id="they had failed before the request",
        ),
        pytest.param(
            spec(by=By.BATCH),
            fleet(*(outdated(n, since=NOW - timedelta(seconds=29)) for n in (0, 5))),
            False,
            id="something became of them since, though they are not on the image",
        ),
        pytest.param(
            spec(by=By.BATCH),
            fleet(*(outdated(n, since=NOW - timedelta(seconds=30)) for n in (0, 5))),
            True,
            id="what became of them was no later than the request",
        ),
        pytest.param(
            spec(image=FIX),
            fleet(*(instance(n, latest_model=False) for n in (0, 5))),
            False,
            id="they are done, and a new commit wants another image",
        ),
    ],
)
def test_while_a_list_is_behind_no_other_upgrade_is_started(
    desired: Any, instances: Any, is_withheld: bool
) -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - timedelta(seconds=30))
    seen = observed(model=model(image=desired.image), instances=instances, attempt=attempt)
    assert (decided(desired, seen).reason == "NoEffect") is is_withheld


def test_a_withheld_step_says_what_ails_the_instances() -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - timedelta(minutes=1))
    failed = [
        outdated(n, provisioning="failed", health="unknown", error="OSProvisioningTimedOut") for n in (0, 5)
    ]
    assert decided(spec(), observed(instances=fleet(*failed), attempt=attempt)).line == (
        says(
            "NoEffect",
            "24.04.202601140",
            "08:59:00",
            "web_0 and web_5 (both failed with OSProvisioningTimedOut)",
            "09:04:00",
        )
    )


def test_an_upgrade_that_does_not_show_yet_bars_no_new_image_from_the_model() -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - timedelta(seconds=30))
    assert decided(spec(image=FIX), observed(attempt=attempt)).reason == "ModelDrift"


def test_an_instance_that_is_off_does_not_serve_whatever_it_last_said_of_its_health() -> None:
    off = outdated(1, provisioning="failed", power="stopped", health="healthy")
    assert decided(spec(), observed(instances=fleet(off))).step == Upgrade(("1",), NEW)


def test_a_started_batch_counts_as_unavailable() -> None:
    counts = decided(spec(), observed()).counts
    assert counts is not None
    assert [tally.unavailable for tally in counts.domains] == [2, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("image", "attempt", "instances", "line"),
    [
        pytest.param(
            OLD,
            None,
            (
                *CURRENT[1:],
                outdated(0, provisioning="updating", since=NOW - timedelta(minutes=11), latest_model=True),
            ),
            says("ModelDrift", "24.04.202601010", "24.04.202601140"),
            id="a fix goes into the model",
        ),
        pytest.param(
            NEW,
            None,
            fleet(outdated(0, provisioning="updating", since=NOW - timedelta(minutes=11))),
            says("Upgrading", "update domain 0", "1", "24.04.202601140", "web_0", "0 of 10"),
            id="then the stuck instance goes first",
        ),
        pytest.param(
            NEW,
            Attempt(Upgrade(("0",), OLD), NOW - timedelta(minutes=11)),
            fleet(outdated(0, provisioning="updating", since=NOW - timedelta(minutes=11))),
            says("Upgrading", "update domain 0", "1", "24.04.202601140", "web_0", "0 of 10"),
            id="stuck in our upgrade to another image, it is remediated",
        ),
        pytest.param(
            NEW,
            Attempt(Upgrade(("1",), NEW), NOW - timedelta(minutes=11)),
            fleet(outdated(0, provisioning="updating", since=NOW - timedelta(minutes=11))),
            says("Upgrading", "update domain 0", "1", "24.04.202601140", "web_0", "0 of 10"),
            id="stuck in another writer's upgrade, it is remediated",
        ),
        pytest.param(
            NEW,
            Attempt(Upgrade(("0",), NEW), NOW - timedelta(minutes=11)),
            fleet(outdated(0, provisioning="updating", since=NOW - timedelta(minutes=11))),
            says("HealthCheckFailed", "update domain 0", "web_0 (updating)", "10m"),
            id="stuck in our upgrade to this image, it is waited for and reported",
        ),
        pytest.param(
            NEW,
            None,
            fleet(outdated(0, provisioning="updating", since=NOW - timedelta(minutes=9))),
            says("AzureUpdating", "updating"),
            id="nothing is stuck: Azure is waited for",
        ),
        pytest.param(
            NEW,
            None,
            fleet(instance(0, provisioning="deleting", since=NOW - HOUR)),
            says("AzureUpdating", "updating"),
            id="an instance that is being deleted needs no remediation",
        ),
        pytest.param(
            NEW,
            None,
            fleet(outdated(0, provisioning="updating", since=NOW - HOUR, is_attached=True)),
            says("AzureUpdating", "updating"),
            id="an attached machine needs no remediation",
        ),
    ],
)
def test_a_scale_set_updating_for_too_long_does_not_block_remediation(
    image: Any, attempt: Any, instances: Any, line: str
) -> None:
    seen = observed(model=model(image=image, provisioning="updating"), instances=instances, attempt=attempt)
    assert decided(spec(), seen).line == line


def test_a_failed_instance_that_serves_costs_something_and_does_not_go_first() -> None:
    instances = fleet(outdated(1, provisioning="failed"), outdated(3, health="unhealthy"))
    assert decided(spec(), observed(instances=instances)).step == Upgrade(("3",), NEW)


@pytest.mark.parametrize("by", By)
def test_a_scale_set_of_none_is_up_to_date_whatever_it_goes_by(by: By) -> None:
    assert decided(spec(by=by), observed(model=model(capacity=0), instances=())).reason == "UpToDate"


def test_a_patch_without_an_etag_cannot_be_made() -> None:
    with pytest.raises(
        ValueError, match=r"^a patch needs the etag that was read: without one it overwrites any change"
    ):
        PatchModel(NEW, "")


def test_a_patch_to_the_same_image_is_the_same_step_whatever_the_etag() -> None:
    attempt = Attempt(PatchModel(NEW, '"3"'), NOW - timedelta(minutes=1))
    assert decided(spec(), observed(model=model(image=OLD), attempt=attempt)).reason == "NoEffect"


def test_another_image_is_another_step_and_is_not_withheld() -> None:
    attempt = Attempt(Upgrade(("0", "5"), OLD), NOW)
    assert decided(spec(), observed(attempt=attempt)).step == Upgrade(("0", "5"), NEW)


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param((), id="none at all, which Azure reads as all"),
        pytest.param(("*",), id="the star, which is all"),
        pytest.param(("0", ""), id="an empty one"),
    ],
)
def test_an_upgrade_without_named_instances_cannot_be_made(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least one instance id"):
        Upgrade(ids, NEW)


def test_a_scale_set_of_nothing_but_attached_machines_is_counted_empty() -> None:
    pet = outdated(9, name="pet", is_attached=True)
    counts = decided(spec(), observed(model=model(capacity=1), instances=(pet,))).counts
    assert counts is not None
    assert counts.total == 0


GOOD_OLD = PersistedState(last_good=OLD)


@pytest.mark.parametrize(
    ("image", "seen", "line"),
    [
        pytest.param(
            OLD,
            observed(model=model(provisioning="updating", persisted=GOOD_OLD)),
            says("ModelDrift", "24.04.202601140", "24.04.202601010"),
            id="a return to the last good image",
        ),
        pytest.param(
            OLD,
            observed(model=model(provisioning="creating", persisted=GOOD_OLD)),
            says("AzureUpdating", "creating"),
            id="not while the scale set is being made",
        ),
        pytest.param(
            FIX,
            observed(
                model=model(provisioning="updating"),
                instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)),
            ),
            says("ModelDrift", "24.04.202601140", "24.04.202602020"),
            id="a fix",
        ),
        pytest.param(
            FIX,
            observed(model=model(provisioning="updating", persisted=GOOD_OLD)),
            says("AzureUpdating", "updating"),
            id="an image that is neither a fix nor a revert waits for Azure",
        ),
    ],
)
def test_what_does_not_wait_for_azure_to_finish(image: PlatformImage, seen: Observed, line: str) -> None:
    seen = replace(seen, availability=Availability(image, Verdict.AVAILABLE))
    assert decided(spec(image=image), seen).line == line


def test_an_exact_image_that_is_gone_takes_nothing_from_those_that_run_it() -> None:
    seen = observed(instances=fleet(rest="upgraded"), availability=Availability(NEW, Verdict.NOT_FOUND))
    assert decided(spec(), seen).line == says("UpToDate", "10", "24.04.202601140")


def test_a_brake_counts_no_instances_of_a_partial_list() -> None:
    held = decided(spec(suspend=Suspension()), observed(instances=fleet()[1:]))
    assert (held.reason, held.counts) == (Reason.SUSPENDED, None)


@pytest.mark.parametrize(
    ("is_under_way", "reason"),
    [
        pytest.param(True, Reason.PROGRESS_DEADLINE_EXCEEDED, id="the rollout was seen to begin"),
        pytest.param(None, Reason.PROGRESS_DEADLINE_EXCEEDED, id="nobody has seen it begin"),
        pytest.param(False, Reason.AZURE_UPDATING, id="it was seen to end: Azure is at something else"),
    ],
)
def test_azure_is_at_work_for_longer_than_a_batch_may_take(is_under_way: bool | None, reason: Reason) -> None:
    attempt = Attempt(Upgrade(("0", "5"), NEW), NOW - timedelta(minutes=61))
    progress = Progress(is_under_way=is_under_way, attempt=attempt)
    seen = observed(model=model(provisioning="updating"), progress=progress)
    assert decided(spec(), seen).reason is reason
