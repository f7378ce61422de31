"""Finds the kind of a document.

If the kind is missing or misspelt, finds the kind that was probably intended, so that the other errors in the
document can be reported too.
"""

from reconciler.spec.document import Document
from reconciler.spec.example import describe_value, example_text
from reconciler.spec.ignore import NAME
from reconciler.spec.problem import Problem
from reconciler.spec.shape import API_VERSION, KINDS, fields
from reconciler.spec.wording import letters, nearest, one_of

_GROUP = API_VERSION.split("/", maxsplit=1)[0]
_OURS = frozenset({"apiversion", "kind", "metadata", "spec", "scalesets"})
_ONLY_OURS = frozenset({"ScaleSet", "RolloutPolicy"})
_LIST_IT = f"list this file in {NAME}"


def is_foreign(document: Document) -> bool:
    """Whether a document belongs to another program, and is skipped for that reason.

    Such a document is a mapping. Either its apiVersion names another group, or it has none of the top-level
    fields of a spec. A group that is probably a misspelling of ours does not count as another group.
    """
    if not isinstance(document.value, dict):
        return False
    version = document.value.get("apiVersion")
    if isinstance(version, str):
        return nearest(version.split("/", maxsplit=1)[0], [_GROUP]) is None
    return not _OURS.intersection(map(letters, document.value))


def foreign_warning(document: Document) -> Problem | None:
    """The warning if a skipped document has a kind that only this program uses, otherwise None."""
    kind = document.at("kind")
    if not isinstance(kind, str) or kind not in _ONLY_OURS:
        return None
    message = (
        f"{example_text(document, ('apiVersion',))} belongs to another program, so this {kind} is skipped: "
        f"write {API_VERSION} if it is a spec"
    )
    return Problem(document.values["apiVersion",], "apiVersion", message)


def kind_of(document: Document) -> tuple[str | None, tuple[Problem, ...]]:
    """The kind of a document, and any problem with the kind.

    If the kind is missing or invalid, returns the kind that was probably intended, or None.
    """
    if not isinstance(document.value, dict):
        fix = f"begin the document with apiVersion: {API_VERSION} and kind: ScaleSet, or {_LIST_IT}"
        found = describe_value(document.value)
        message = f"the document is {found}, but a spec is expected: {fix}"
        return None, (Problem(document.place, "", message),)
    if "kind" not in document.value and "scaleSets" in document.value:
        fix = f"check it with `reconciler simulate --check`, or {_LIST_IT}"
        message = f"the document is a fleet file, not a spec: {fix}"
        return None, (Problem(document.place, "", message),)
    if "kind" not in document.value:
        guess = _guess(document)
        message = (
            f"is missing: add kind: {guess or 'ScaleSet, or kind: Image for an image that scale sets share'}"
        )
        return guess, (Problem(document.place, "kind", message),)
    kind = document.value["kind"]
    if isinstance(kind, str) and kind in KINDS:
        return kind, ()
    guess = nearest(kind, KINDS) if isinstance(kind, str) else None
    fix = f"did you mean {guess}?" if guess else f"write {one_of(KINDS)}, or {_LIST_IT}"
    message = f"{example_text(document, ('kind',))} is not a spec kind: {fix}"
    return guess, (Problem(document.values["kind",], "kind", message),)


def _guess(document: Document) -> str | None:
    """The kind that the first distinctive field of the spec indicates, or None.

    A field is distinctive if only one kind has it.
    """
    spec = document.at("spec")
    if not isinstance(spec, dict):
        return None
    having = ([kind for kind in KINDS if ("spec", name) in fields(kind)] for name in spec)
    return next((kinds[0] for kinds in having if len(kinds) == 1), None)
