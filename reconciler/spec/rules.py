"""Rules on single values that a JSON Schema cannot state, or whose mends it does not know.

A rule may repeat what a pattern of the schema says: the pattern is for editors, which complete and complain
from the schema alone; the rule has the better words, and where both find fault its words are printed.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from reconciler.spec import amount, duration, image_id
from reconciler.spec.document import Document, Value
from reconciler.spec.field import Field
from reconciler.spec.scalar import Atom
from reconciler.spec.wording import quoted

Rule = Callable[[Atom], str | None]

# Of interval and health.timeout: sweeps come about every minute, and instances take as long to boot.
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(hours=24)

_IDS = {"gallery": "id", "communityGallery": "id", "sharedGallery": "id", "managed": "id", "vhd": "uri"}


def broken_rules(document: Document, kind: str) -> Iterator[tuple[Field, str]]:
    """The fields that break a rule, with the message for each."""
    for field, value in _atoms(document.value, ()):
        if isinstance(value, str) and not value.isprintable():
            yield field, _unprintable(value)
        elif message := broken_rule(kind, field, value):
            yield field, message


def broken_rule(kind: str, field: Field, value: Atom) -> str | None:
    """What a rule has against this value of the field."""
    rule = _RULES[kind].get(field)
    return rule(value) if rule else None


def _atoms(value: Value, at: Field) -> Iterator[tuple[Field, Atom]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _atoms(below, (*at, name))
    elif not isinstance(value, list):
        yield at, value


def _unprintable(text: str) -> str:
    if "\n" in text:
        return "holds a line break: write it on one line, without | or >"
    character = next(c for c in text if not c.isprintable())
    return f"holds the invisible character U+{ord(character):04X}: remove it"


def _of_text(rule: Callable[[str], str | None], value: Atom) -> str | None:
    return rule(value) if isinstance(value, str) else None  # of other types the shape says what is wrong


def _moment_mistake(text: str) -> str | None:
    """Of what looks like a time, for the pattern says the rest: whether a calendar and a clock have it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return f'{quoted(text)} is no time: write one such as "2026-01-31T18:00Z"'
    return None


def _of_image(*at: str) -> dict[Field, Rule]:
    rules: dict[Field, Rule] = {
        at: partial(_of_text, image_id.misplaced),
        (*at, "platform", "version"): partial(_of_text, image_id.version_mistake),
    }
    for kind, name in _IDS.items():
        rules[*at, kind, name] = partial(_of_text, partial(image_id.mistake, kind))
    return rules


_duration_rule = partial(duration.mistake, least=SHORTEST, most=LONGEST)
_soak_rule = partial(duration.mistake, least=timedelta(), most=LONGEST)


def _of_rollout(*at: str) -> dict[Field, Rule]:
    return {
        (*at, "maxBatch"): amount.mistake,
        (*at, "maxUnavailable"): amount.mistake,
        (*at, "soak"): _soak_rule,
        (*at, "canary", "instances"): amount.mistake,
        (*at, "canary", "soak"): _soak_rule,
    }


_RULES: dict[str, dict[Field, Rule]] = {
    "ScaleSet": {
        **_of_rollout("spec", "rollout"),
        ("spec", "health", "timeout"): _duration_rule,
        ("spec", "interval"): _duration_rule,
        ("spec", "suspend", "until"): partial(_of_text, _moment_mistake),
        **_of_image("spec", "image"),
    },
    "Image": _of_image("spec"),
    "RolloutPolicy": _of_rollout("spec"),
}
