"""Which kind of spec a document is, or was probably meant to be, so that its other mistakes are found too."""

from reconciler.spec.document import Document
from reconciler.spec.example import describe_value, example_text
from reconciler.spec.problem import Problem
from reconciler.spec.shape import API_VERSION, KINDS, fields
from reconciler.spec.wording import nearest, one_of


def kind_of(document: Document) -> tuple[str | None, tuple[Problem, ...]]:
    """The kind, None where it cannot be told, and what is wrong with how the document says it."""
    if not isinstance(document.value, dict):
        fix = f"begin it with apiVersion: {API_VERSION} and kind: ScaleSet"
        message = f"is {describe_value(document.value)}, where a spec is expected: {fix}"
        return None, (Problem(document.place, "", message),)
    if "kind" not in document.value and "scaleSets" in document.value:
        message = "is a fleet file, no spec: check it with reconciler simulate --check, or keep it elsewhere"
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
    fix = f"did you mean {guess}?" if guess else f"write {one_of(KINDS)}, or keep this file elsewhere"
    message = f"{example_text(document, ('kind',))} is not a kind of spec: {fix}"
    return guess, (Problem(document.values["kind",], "kind", message),)


def _guess(document: Document) -> str | None:
    """By what only one of the kinds has."""
    spec = document.at("spec")
    if not isinstance(spec, dict):
        return None
    having = ([kind for kind in KINDS if ("spec", name) in fields(kind)] for name in spec)
    return next((kinds[0] for kinds in having if len(kinds) == 1), None)
