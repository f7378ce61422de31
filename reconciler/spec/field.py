"""Fields: the way to a value inside a document, and how messages write it."""

import re

from reconciler.spec.wording import quote, shorten

Field = tuple[str | int, ...]

EACH = 0  # the index that stands for all of a list

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def schema_field(field: Field) -> Field:
    """The field in every item of the lists it lies in, as the schema and the rules know it.

    >>> schema_field(("spec", "windows", 3, "kind"))
    ('spec', 'windows', 0, 'kind')
    """
    return tuple(EACH if isinstance(step, int) else step for step in field)


def dotted_path(field: Field) -> str:
    """The field as users write it.

    >>> dotted_path(("metadata", "labels", "a.b")), dotted_path(("spec", "zones", 0))
    ('metadata.labels."a.b"', 'spec.zones[0]')
    """
    written = ""
    for step in field:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            written += "." * bool(written) + (shorten(step) if _PLAIN.fullmatch(step) else quote(step))
    return written
