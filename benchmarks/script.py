"""The baseline: a script as an operator writes it with the SDK, one call after another.

    python -m benchmarks.script sweep 1000 20 90
    python -m benchmarks.script rollout 1 100 90

It follows the safety rule (one update domain at a time, and the next only when it is healthy) but does
nothing else: no retries, no etags, no checks. If it is killed halfway, it starts from the beginning.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from azure.mgmt.compute import ComputeManagementClient

from benchmarks.azure import GROUP, NEW, OLD, Azure, Token, image, imports, name
from benchmarks.figures import tell
from reconciler.simulator import SUBSCRIPTION

# The daemon's own default between two observations of a scale set during a rollout.
_BETWEEN_LOOKS = timedelta(seconds=15)


def outdated_sets(compute: Any, version: str) -> list[str]:
    """Return the scale sets that are not completely on `version`. This lists the instances of each.

    The instances are listed without their instance views, which are not needed here.
    """
    return [
        scale_set.name
        for scale_set in compute.virtual_machine_scale_sets.list_all()
        if scale_set.virtual_machine_profile.storage_profile.image_reference.version != version
        or any(
            instance.storage_profile.image_reference.exact_version != version
            for instance in compute.virtual_machine_scale_set_vms.list(
                scale_set.id.split("/")[4], scale_set.name
            )
        )
    ]


def roll(compute: Any, scale_set: str, version: str, sleep: Callable[[timedelta], None]) -> None:
    """Bring one scale set to `version`, one update domain after another."""
    sets = compute.virtual_machine_scale_sets
    storage = {"imageReference": image(version)}
    change = {"properties": {"virtualMachineProfile": {"storageProfile": storage}}}
    sets.begin_update(GROUP, scale_set, change).result()
    domains: dict[int, list[str]] = {}
    for instance in _instances(compute, scale_set):
        domains.setdefault(instance.instance_view.platform_update_domain, []).append(instance.instance_id)
    for _, ids in sorted(domains.items()):
        sets.begin_update_instances(GROUP, scale_set, {"instanceIds": ids}).result()
        while not all(_healthy(each) for each in _instances(compute, scale_set) if each.instance_id in ids):
            sleep(_BETWEEN_LOOKS)


def _instances(compute: Any, scale_set: str) -> list[Any]:
    return list(compute.virtual_machine_scale_set_vms.list(GROUP, scale_set, expand="instanceView"))


def _healthy(instance: Any) -> bool:
    health = instance.instance_view.vm_health
    return bool(health and health.status.code == "HealthState/healthy")


def main(job: str, sets: int, instances: int, upgrade: timedelta) -> None:
    """Run the measurement and print its figures."""
    output = {"imports": imports()}
    azure = Azure(sets, instances, upgrade)
    compute = ComputeManagementClient(Token(), SUBSCRIPTION, transport=azure.transport)
    before = azure.account()
    if job == "sweep":
        assert outdated_sets(compute, OLD) == []
    else:
        for number in range(sets):
            roll(compute, name(number), NEW, azure.sleep)
        assert azure.images() == {NEW}
    tell(output | {"before": before, job: azure.account() - before})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), timedelta(seconds=float(sys.argv[4])))
