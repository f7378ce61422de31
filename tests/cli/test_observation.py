"""The observation of scale sets that no file declares yet."""

from reconciler.azure.session import Session
from reconciler.cli.observation import observe_fleet
from reconciler.simulator import Simulator, VirtualClock
from reconciler.spec.suspension import Suspension
from tests.build import spec
from tests.stories.world import NEW, fleet, platform, scale_set
from tests.token import Token


def test_each_scale_set_is_observed_and_nothing_is_written() -> None:
    sets = (scale_set("api", capacity=1), scale_set("web", capacity=1, image=platform(NEW)))
    azure = Simulator.load(fleet(*sets), VirtualClock())
    session = Session(credential=Token(), transport=azure.transport(), now=azure.clock.now)
    observation = observe_fleet([spec("web"), spec("api")], session, by_group=False)
    assert [entry.outcome and entry.outcome.reason for entry in observation.states] == [
        "ModelDrift",
        "UpToDate",
    ]
    assert {exchange.method for exchange in azure.record.requests} == {"GET"}


def test_a_suspended_scale_set_is_observed_without_a_list() -> None:
    azure = Simulator.load(fleet(scale_set("web", capacity=1)), VirtualClock())
    session = Session(credential=Token(), transport=azure.transport(), now=azure.clock.now)
    observation = observe_fleet([spec("web", suspend=Suspension())], session, by_group=False)
    assert [entry.outcome and entry.outcome.reason for entry in observation.states] == ["Suspended"]
    assert [exchange.operation for exchange in azure.record.requests] == [
        "VirtualMachineScaleSets_Get",
        "VirtualMachineScaleSetVMs_List",
    ]
    (state,) = observation.states
    assert state.seen.counts is not None
    assert state.seen.counts.total == 1
