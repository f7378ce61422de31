"""Fields: the path to a value in a document, and how messages write that path."""

import re

from reconciler.spec.wording import quote, shorten

Field = tuple[str | int, ...]

EACH = 0  # the index that represents every item of a list

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def schema_field(field: Field) -> Field:
    """The field with each list index replaced by `EACH`: the form that the schema and the rules use.

    >>> schema_field(("spec", "windows", 3, "kind"))
    ('spec', 'windows', 0, 'kind')
    """
    return tuple(EACH if isinstance(step, int) else step for step in field)


def dotted_path(field: Field) -> str:
    """The path of the field as users write it.

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
