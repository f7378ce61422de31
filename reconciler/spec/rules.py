"""Rules for single values that a JSON Schema cannot express, or for which it cannot suggest a fix.

A rule may repeat a pattern of the schema, because editors use only the schema. If the schema and the rule
both reject a value, the message of the rule is printed, because it is better.
"""

import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from reconciler.spec import address, amount, cron, duration, image_id, number, zone
from reconciler.spec.document import Document, Value
from reconciler.spec.field import EACH, Field, schema_field
from reconciler.spec.scalar import Atom
from reconciler.spec.shape import fields
from reconciler.spec.wording import character_error, quote

Rule = Callable[[Atom], str | None]

# Bounds of interval and health.timeout. A sweep runs about once a minute, and an instance takes about a
# minute to boot.
_SHORTEST = timedelta(minutes=1)
_LONGEST = timedelta(hours=24)
_LONGEST_WINDOW = timedelta(days=7)
_LONGEST_ROLLOUT = timedelta(days=30)

_IDS = {"gallery": "id", "communityGallery": "id", "sharedGallery": "id", "managed": "id", "vhd": "uri"}


def broken_rules(document: Document, kind: str) -> Iterator[tuple[Field, str]]:
    """The fields that break a rule, each with its message."""
    for field, value in atoms(document.value):
        if isinstance(value, str) and not value.isprintable():
            yield field, _unprintable(value)
        elif message := broken_rule(kind, field, value):
            yield field, message


def broken_rule(kind: str, field: Field, value: Atom) -> str | None:
    """The error message if a rule rejects this value of the field, otherwise None."""
    rule = _RULES[kind].get(schema_field(field))
    return rule(value) if rule else None


def atoms(value: Value, at: Field = ()) -> Iterator[tuple[Field, Atom]]:
    """The scalars inside a value, each with its field. The value itself is at the field `at`."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from atoms(below, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from atoms(item, (*at, index))
    else:
        yield at, value


def _unprintable(text: str) -> str:
    if "\n" in text:
        return "contains a line break: write it on one line, without | or >"
    character = next(c for c in text if not c.isprintable())
    return f"contains the invisible character U+{ord(character):04X}: remove it"


def _of_text(rule: Callable[[str], str | None], value: Atom) -> str | None:
    return rule(value) if isinstance(value, str) else None  # the schema reports other types


def _resource_group_error(text: str) -> str | None:
    """The error if the name of a resource group has a character that Azure rejects, otherwise None."""
    return character_error(text, _is_of_resource_group, "use letters, digits, _ - . ( )")


def _is_of_resource_group(character: str) -> bool:
    category = unicodedata.category(character)
    return character.isascii() or category.startswith("L") or category == "Nd"


def _time_error(text: str) -> str | None:
    """The error if the time does not exist, otherwise None. The pattern in the schema checks its form."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return f'{quote(text)} is not a valid time: write a time such as "2026-01-31T18:00Z"'
    return None


def _of_image(*at: str) -> dict[Field, Rule]:
    rules: dict[Field, Rule] = {
        at: partial(_of_text, image_id.misplaced_id_error),
        (*at, "platform", "version"): partial(_of_text, image_id.platform_version_error),
    }
    for kind, name in _IDS.items():
        rules[*at, kind, name] = partial(_of_text, partial(image_id.image_id_error, kind))
    return rules


def _window_duration_error(value: Atom) -> str | None:
    """The error if the duration of a window is out of range or not in whole minutes, otherwise None."""
    if error := duration.duration_error(value, least=_SHORTEST, most=_LONGEST_WINDOW):
        return error
    length = duration.parse_duration(value) if isinstance(value, str) else None
    if not length or not length % _SHORTEST:
        return None
    more = duration.format_duration((length // _SHORTEST + 1) * _SHORTEST)
    return f"{quote(str(value))} is not a whole number of minutes: write {more}"


def _whole(*at: str | int) -> Rule:
    """The rule for a whole number, with the bounds that the schema gives for this field."""
    shape = fields("ScaleSet")[at]
    return partial(number.number_error, least=shape["minimum"], most=shape["maximum"])


_duration_rule = partial(duration.duration_error, least=_SHORTEST, most=_LONGEST)
_soak_rule = partial(duration.duration_error, least=timedelta(), most=_LONGEST)


def _of_rollout(*at: str) -> dict[Field, Rule]:
    return {
        (*at, "canary", "instances"): amount.amount_error,
        (*at, "canary", "soak"): _soak_rule,
        (*at, "maxBatch"): amount.amount_error,
        (*at, "maxUnavailable"): amount.amount_error,
        (*at, "maxUnhealthy"): partial(
            amount.amount_error, zero_effect="would let one unhealthy instance block all others"
        ),
        (*at, "maxUnhealthyUpgraded"): partial(amount.amount_error, least=0),
        (*at, "soak"): _soak_rule,
        (*at, "bakeTime"): _soak_rule,
        (*at, "progressDeadline"): _duration_rule,
        (*at, "deadline"): partial(duration.duration_error, least=_SHORTEST, most=_LONGEST_ROLLOUT),
        **_of_windows(*at, "windows"),
        **_of_checks(*at, "checks"),
    }


def _of_windows(*at: str | int) -> dict[Field, Rule]:
    return {
        (*at, EACH, "schedule"): partial(_of_text, cron.schedule_error),
        (*at, EACH, "duration"): _window_duration_error,
        (*at, EACH, "timeZone"): partial(_of_text, zone.time_zone_error),
    }


def _of_checks(*at: str) -> dict[Field, Rule]:
    return {
        (*at, EACH, "http", "url"): partial(_of_text, address.url_error),
        (*at, EACH, "http", "status"): _whole("spec", "rollout", "checks", EACH, "http", "status"),
        (*at, EACH, "prometheus", "server"): partial(_of_text, address.server_error),
    }


_scale_sets_rule = partial(
    amount.amount_error,
    zero_effect="would block every rollout, which is what freeze does",
    whole="all scale sets",
)


_RULES: dict[str, dict[Field, Rule]] = {
    "ScaleSet": {
        ("spec", "target", "resourceGroup"): partial(_of_text, _resource_group_error),
        **_of_rollout("spec", "rollout"),
        ("spec", "health", "timeout"): _duration_rule,
        ("spec", "health", "passes"): _whole("spec", "health", "passes"),
        ("spec", "wave"): _whole("spec", "wave"),
        ("spec", "interval"): _duration_rule,
        ("spec", "suspend", "until"): partial(_of_text, _time_error),
        **_of_image("spec", "image"),
    },
    "Image": _of_image("spec"),
    "RolloutPolicy": _of_rollout("spec"),
    "Fleet": {
        ("spec", "freeze", "until"): partial(_of_text, _time_error),
        ("spec", "urgent", "until"): partial(_of_text, _time_error),
        **_of_image("spec", "urgent", "image"),
        **_of_windows("spec", "windows"),
        ("spec", "tenants", EACH, "resourceGroups", EACH): partial(_of_text, _resource_group_error),
        **_of_windows("spec", "tenants", EACH, "requires", "windows"),
        ("spec", "maxConcurrentRollouts"): _scale_sets_rule,
        ("spec", "maxChange"): _scale_sets_rule,
        ("spec", "maxFailedRollouts"): partial(amount.amount_error, least=0, whole="all scale sets"),
    },
}
