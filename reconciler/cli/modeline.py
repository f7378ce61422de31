"""Finds the schema that the first line of a spec names for editors."""

from itertools import takewhile
from os.path import relpath
from pathlib import Path

from reconciler.spec.shape import SPEC_SCHEMA


def spec_schema(specs: Path) -> str:
    """The relative path from a directory of specs to the spec schema, or "" if there is none.

    The schema is in a directory named schemas, where `reconciler schema spec --to schemas` puts it. The
    directories above the specs are searched, up to the root of their git repository. Outside a repository,
    only the nearest of these directories is searched, because a schema further up may belong to something
    else.
    """
    real = specs.resolve()
    parents = list(real.parents)
    below = list(takewhile(lambda each: not (each / ".git").exists(), parents))
    searched = parents[: len(below) + 1] if len(below) < len(parents) else parents[:1]
    found = (each / "schemas" / SPEC_SCHEMA for each in searched)
    return next((relpath(each, real) for each in found if each.is_file()), "")
