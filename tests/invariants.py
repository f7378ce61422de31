"""The safety rules of a rollout, each in one place. They must hold in every case, and are checked by the simulator's
record.

Each takes the record and what the record lacks: which scale set, what counts as one domain, a number of the spec.
`hold` checks all of them for a `World`. To add a rule, add a function here and a line in `hold`.

Some are for stories on a virtual clock only, where no time passes while a daemon reads, decides and writes. There a
write follows from the reads of the same client at the same instant before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from reconciler.simulator import (
    Absence,
    Domain,
    Exchange,
    OperationFails,
    Partial,
    Record,
    Slow,
    Truncated,
)
from reconciler.simulator.record import by_update_domain, is_called
from reconciler.spec.scale_set import By
from tests import spec_invariants
from tests.declared import Story, key_of
from tests.exchanges import (
    LISTS,
    MODEL,
    MODELS,
    PATCH,
    UPGRADE,
    changes_only_the_claim,
    description,
    id_list,
    image_of,
    is_old,
    last_list,
    model_image,
    named_instances,
    returns_to_last_good,
    scale_set_of,
    sets_back,
    stands_of,
    time_of,
    with_standing,
    writes,
    writes_and_reads,
)

if TYPE_CHECKING:
    from tests.stories.world import World

# How long lists have been incomplete before the model may be set back all the same.
LASTING = timedelta(minutes=5)

# How long a daemon does not repeat a step (see `rollout/expectations.py`); Azure's times are in whole seconds.
PATIENCE = timedelta(minutes=5) - timedelta(seconds=1)
# The largest age of a read that a write may follow from, and that of a read that Azure answered slowly.
FRESH, OLDEST = timedelta(seconds=10), timedelta(minutes=1)

Key = Callable[[Domain], Hashable]
Moments = Collection[datetime] | None
"""The times of the upgrades that are checked; None for all."""


@dataclass(frozen=True, slots=True)
class Lost:
    """How many upgraded instances may stay unhealthy, and after what time: `maxUnhealthyUpgraded`."""

    most: Callable[[int], int]
    after: timedelta

    def without(self, away: Mapping[str, timedelta], upgrade: Exchange) -> set[str]:
        """The instances of `away` that are not tolerated. `away` has how long each has been unavailable."""
        late = {id_ for id_, length in away.items() if length > self.after}
        upgraded = sum(each.image == model_image(upgrade) for each in stands_of(upgrade).values())
        return set(away) - late if len(late) <= self.most(upgraded) else set(away)


NONE = Lost(lambda _: 0, timedelta())


def hold(world: World) -> None:
    """Check all rules for every scale set that is declared in `world`."""
    record = world.azure.record
    story = Story(record, world.in_force, world.azure.scenes, is_alone=len(world.daemons) == 1)
    for rule in spec_invariants.RULES:
        rule(story)
    no_read_selects(record)
    every_upgrade_names_its_instances(record)
    no_write_follows_from_a_partial_read(record)
    no_step_is_repeated_at_once(record)
    every_write_changes_something(record)
    every_patch_is_guarded(record)
    no_write_follows_from_old_reads(record)
    every_upgrade_follows_a_read_of_the_model(record)
    for desired, moments in story.upgrades_by_spec():
        rollout, lost = (
            desired.rollout,
            Lost(desired.rollout.max_unhealthy_upgraded.within, desired.health.timeout),
        )
        key = key_of(desired)
        at_most_one_domain_is_unavailable(record, key, domain_of(rollout.by), lost, moments)
        at_most_one_batch_is_unavailable(record, key, lost, moments)
        max_unavailable_is_not_exceeded(record, key, rollout.max_unavailable.of, moments)


def at_most_one_domain_is_unavailable(
    record: Record,
    scale_set: str,
    key: Key = by_update_domain,
    lost: Lost = NONE,
    moments: Moments = None,
) -> None:
    """While upgraded instances of one domain are unavailable, no upgrade takes a serving one of another out of service.

    Instances that are protected or deallocated meanwhile do not count, nor those that `lost` tolerates.
    """
    for upgrade, taken, left in _batches(record, scale_set, lost, moments):
        domains = {key(stand.domain) for id_, stand in stands_of(upgrade).items() if id_ in taken | left}
        assert len(domains) == 1, (
            f"{scale_set}: {id_list(taken)} were upgraded at {time_of(upgrade)} while {id_list(left)} of an earlier upgrade were "
            f"unavailable: that is {len(domains)} domains"
        )


def at_most_one_batch_is_unavailable(
    record: Record, scale_set: str, lost: Lost = NONE, moments: Moments = None
) -> None:
    """No upgrade takes a serving instance out of service while another one of an earlier upgrade is unavailable."""
    for upgrade, taken, left in _batches(record, scale_set, lost, moments):
        assert not left, (
            f"{scale_set}: {id_list(taken)} were upgraded at {time_of(upgrade)} while {id_list(left)} of an earlier upgrade were "
            "unavailable"
        )


def max_unavailable_is_not_exceeded(
    record: Record, scale_set: str, most: Callable[[int], int], moments: Moments = None
) -> None:
    """No upgrade makes more than `most` of all instances unavailable, for any reason.

    Only upgrades of serving instances count: remediation costs nothing. Deallocated instances are not unavailable, and
    one that is being deleted does not count. Azure does not report the result of a load balancer probe. Here it counts
    anyway, so this is not for unhealthy instances behind one.
    """
    for upgrade, taken, _ in _batches(record, scale_set, NONE, moments):
        total = sum(each.status != "deleting" for each in stands_of(upgrade).values())
        others = with_standing(upgrade, "unavailable")
        assert len(others) + len(taken) <= most(total), (
            f"{scale_set}: {id_list(taken)} were upgraded at {time_of(upgrade)} while {id_list(others)} were unavailable: at most "
            f"{most(total)} of {total} may be"
        )


def no_write_follows_from_a_partial_read(record: Record) -> None:
    """Every upgrade follows from a list of the instances, and no write from an incomplete list.

    If every list has been incomplete for minutes, the model may still be set back. A scale-out between the reads of the
    model and of the list can hide that a row is missing. If-Match then refuses the write.
    """
    lasting = {id(write): reads for write, reads in writes_and_reads(record, LASTING)}
    for write, reads in writes_and_reads(record, OLDEST):
        lists = {operation: last_list(reads, operation) for operation in LISTS}
        assert write.operation != UPGRADE or lists[LISTS[0]], (
            f"{description(write)}: the instances were not listed before"
        )
        machines = lists[LISTS[1]]
        if machines and not any(isinstance(each.fault, Partial) for each in machines):
            continue  # of a Flexible scale set these are the instances; the other list only adds details
        lacking = [each for pages in lists.values() for each in pages if isinstance(each.fault, Partial)]
        past = [each for each in lasting[id(write)] if each.operation in LISTS]
        if returns_to_last_good(write) and all(isinstance(each.fault, Partial) for each in past):
            continue
        if write.status == HTTPStatus.PRECONDITION_FAILED:
            continue
        assert not lacking, f"{description(write)}: it follows from an incomplete list of instances"


def every_upgrade_names_its_instances(record: Record) -> None:
    """No upgrade has an empty list of ids, or "*": Azure may take either for all of them."""
    for upgrade in writes(record, UPGRADE):
        named = named_instances(upgrade)
        assert named, f"{description(upgrade)}: it names no instance"
        assert "*" not in named, f"{description(upgrade)}: it names all instances"


def no_step_is_repeated_at_once(record: Record) -> None:
    """For five minutes no daemon repeats its last accepted step.

    A step is the same if it sets the same image, or upgrades the same instances to the same image of the model. A
    daemon does not know the steps of another one, its own steps before a restart, or a step whose answer was lost. A
    stale read of the model makes it another step.
    """
    last: dict[Hashable, Exchange] = {}
    for write, reads in writes_and_reads(record, FRESH):
        who = (write.client, scale_set_of(write))
        if (step := last.get(who)) and _step(step) == _step(write) and not is_old(reads, *MODELS):
            assert write.at - step.at >= PATIENCE, (
                f"{description(write)}: it was accepted at {time_of(step)} already"
            )
        if write.status in (200, 202) and not isinstance(write.fault, Truncated):
            last[who] = write


def every_write_changes_something(record: Record) -> None:
    """Every accepted write changes something, unless a read was stale. A settled fleet is not written.

    A change of the model whose operation failed is repeated, although the model has the image. A new process does the
    same after a failed upgrade of the previous one, because it only finds a failed scale set.
    """
    failed: dict[Hashable, bool] = {}
    last: dict[Hashable, Exchange] = {}
    for write, reads in writes_and_reads(record, FRESH):
        if write.status not in (200, 202):
            continue
        who, before = (write.client, scale_set_of(write)), last.get(scale_set_of(write))
        has_failed = failed.get(who, False) or (before and isinstance(before.fault, OperationFails))
        last[scale_set_of(write)] = write
        if write.operation == PATCH:
            failed[who] = isinstance(write.fault, OperationFails)
        if is_old(reads, *MODELS, *LISTS) or (has_failed and write.operation == PATCH):
            continue
        if write.operation == PATCH:
            is_needed = _adds_tags(write) or any(
                event.kind == "model" and event.at == write.at for event in record.events
            )
        else:
            is_needed = any(
                stand.is_behind for id_, stand in stands_of(write).items() if id_ in named_instances(write)
            )
        assert is_needed, f"{description(write)}: it changes nothing"


def no_write_follows_from_old_reads(record: Record) -> None:
    """The instances and the model that a write follows from were read in the ten seconds before it, or in the minute
    before it if Azure answered slowly. A change of the model that is repeated because its operation failed, or that sets
    the model back to the last good image, follows from no instances, and neither does a claim.
    """
    failed: dict[Hashable, Exchange] = {}
    for write, reads in writes_and_reads(record, 2 * OLDEST):
        who = (write.client, scale_set_of(write))
        is_repeat = who in failed and _step(failed[who]) == _step(write)
        if write.status in (200, 202):
            failed.pop(who, None)
            if isinstance(write.fault, OperationFails) and write.operation == PATCH:
                failed[who] = write
        whole = [each for each in reads if each.status == HTTPStatus.OK]
        is_slow = any(isinstance(each.fault, Slow) for each in (*reads, write))
        most = OLDEST if is_slow else FRESH
        needs_none = is_repeat or changes_only_the_claim(write) or sets_back(write)
        instances = [] if needs_none else last_list(whole, LISTS[0])
        for pages in (instances, [each for each in whole if each.operation in MODELS][-1:]):
            age = write.at - pages[0].at if pages else timedelta()
            assert age <= most, f"{description(write)}: {pages[0].operation} was read {age} before"


def every_upgrade_follows_a_read_of_the_model(record: Record) -> None:
    """An upgrade has no If-Match, so the last read before it is that of the model, unless a read is slow."""
    for upgrade, reads in writes_and_reads(record, 2 * OLDEST):
        if upgrade.operation != UPGRADE or any(isinstance(each.fault, Slow) for each in reads):
            continue
        own = [each for each in reads if scale_set_of(each) and each.status == HTTPStatus.OK]
        last = [each.operation for each in own][-1:]
        assert last == [MODEL], f"{description(upgrade)}: the last read is {last}"


def every_patch_is_guarded(record: Record) -> None:
    """A PATCH has an If-Match, sets nothing but the image and our tags, and keeps all other tags."""
    for patch in writes(record, PATCH):
        assert patch.if_match.strip() not in ("", "*"), f"{description(patch)}: it has no If-Match"
        said = dict(patch.body)
        tags = said.pop("tags", {})
        image = image_of(patch)
        if "properties" in said:
            storage = said.pop("properties")
            assert image, f"{description(patch)}: it sets no image"
            for name in ("virtualMachineProfile", "storageProfile", None):
                assert len(storage) == 1, f"{description(patch)}: it sets more than the image"
                storage = storage.get(name) if name else storage
                assert storage is not None, f"{description(patch)}: it sets more than the image"
        assert not said, f"{description(patch)}: it sets {', '.join(said)}"
        if not tags or patch.status not in (200, 202) or patch.before is None:
            continue
        others = {name: value for name, value in patch.before.tags.items() if not _is_ours(name)}
        written = {name: value for name, value in tags.items() if not _is_ours(name)}
        assert written == others, f"{description(patch)}: the tags of others were {others}"


def _is_ours(tag: str) -> bool:
    return tag.casefold().startswith(("vmss-reconciler-", "reconciler-"))


def no_read_selects(record: Record) -> None:
    """No request has `$select`, because Azure then reports no instance as up to date with the model."""
    for each in record.requests:
        assert "$select" not in each.query, f"{description(each)}: it selects {each.query['$select']}"


def nothing_was_written(record: Record, since: int = 0) -> None:
    """All requests from this number on are reads."""
    written = [description(each) for each in record.requests[since:] if each.method != "GET"]
    assert not written, f"nothing should have been written: {'; '.join(written)}"


def domain_of(by: By) -> Key:
    """What counts as one domain under an ordering; in batches every instance is in the same one."""

    def key(domain: Domain) -> Hashable:
        if by is By.BATCH:
            return ()
        if by is By.FAULT_DOMAIN:
            return (domain.zone, domain.placement_group, domain.fault_domain)
        return by_update_domain(domain)

    return key


def _batches(
    record: Record, scale_set: str, lost: Lost, moments: Moments
) -> Iterator[tuple[Exchange, set[str], set[str]]]:
    """Every upgrade of serving instances, these instances, and the unavailable instances of earlier upgrades.

    It does not matter whether a daemon received the answer. An instance that became healthy and then unhealthy is
    unavailable. Instances that the upgrade names too, that are protected or deallocated, or that are tolerated do not
    count.
    """
    absences = record.absences(scale_set)
    ours = [each for each in absences if each.cause == "manualupgrade"]
    for upgrade in writes(record, UPGRADE):
        if not is_called(scale_set, *scale_set_of(upgrade)):
            continue
        if moments is not None and upgrade.at not in moments:
            continue
        went = {each.instance_id for each in ours if each.since == upgrade.at}
        if taken := went & named_instances(upgrade) & with_standing(upgrade, "serving"):
            left = _away(upgrade, [each for each in ours if each.since < upgrade.at])
            upgraded = {each.instance_id for each in ours if each.since < upgrade.at}
            seen = [each for each in absences if each.since < upgrade.at - OLDEST and each not in ours]
            relapsed = _away(upgrade, [_with_before(each, ours) for each in seen])
            tried = _tried_in_vain(record, scale_set, upgrade, lost.after)
            relapsed = {
                id_: age for id_, age in relapsed.items() if id_ in (upgraded & _current(upgrade)) - tried
            }
            yield upgrade, taken, lost.without(relapsed | left, upgrade)


def _tried_in_vain(record: Record, scale_set: str, upgrade: Exchange, after: timedelta) -> set[str]:
    """The instances that an earlier upgrade set to this image while they were unavailable, longer than `after` ago.

    They say nothing about the image, even if they served when an upgrade set them to an earlier one.
    """
    return {
        id_
        for each in writes(record, UPGRADE)
        if is_called(scale_set, *scale_set_of(each))
        and upgrade.at - each.at > after
        and model_image(each) == model_image(upgrade)
        for id_ in named_instances(each) & with_standing(each, "unavailable")
    }


def _with_before(absence: Absence, ours: Sequence[Absence]) -> Absence:
    """An absence, joined with that of an upgrade if the instance served so briefly in between that it was not observed."""
    before = [
        each
        for each in ours
        if each.instance_id == absence.instance_id
        and each.until is not None
        and timedelta() <= absence.since - each.until < OLDEST
    ]
    return replace(absence, since=before[-1].since) if before else absence


def _away(upgrade: Exchange, absences: Sequence[Absence]) -> dict[str, timedelta]:
    """How long each instance that is still unavailable has been so."""
    stands = stands_of(upgrade)
    return {
        each.instance_id: upgrade.at - each.since
        for each in absences
        if (each.until is None or upgrade.at < each.until)
        and each.instance_id not in named_instances(upgrade)
        and (stand := stands.get(each.instance_id))
        and stand.status == "unavailable"
        and not stand.is_protected
    }


def _current(upgrade: Exchange) -> set[str]:
    """The instances that are on the model."""
    return {
        id_
        for id_, each in stands_of(upgrade).items()
        if not each.is_behind and each.image == model_image(upgrade)
    }


def _adds_tags(patch: Exchange) -> bool:
    had = patch.before.tags if patch.before else {}
    return not (patch.body.get("tags") or {}).items() <= had.items()


def _step(write: Exchange) -> Hashable:
    if write.operation == PATCH:
        return str(write.body.get("properties") or write.body)
    return model_image(write), tuple(sorted(named_instances(write)))
