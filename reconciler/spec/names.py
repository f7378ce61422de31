"""Reads the names of scale sets from spec files, without the validation of `declare`."""

from collections.abc import Iterable, Iterator

from reconciler.spec.document import document
from reconciler.spec.files import File
from reconciler.spec.problem import Problem
from reconciler.spec.text import text_of
from reconciler.spec.tree import trees


def scale_set_names(files: Iterable[File]) -> list[str]:
    """The distinct names, sorted. Skips a file that cannot be read.

    >>> scale_set_names([File("web.yaml", b"kind: ScaleSet\\nmetadata: {name: web}"), File("a.yaml", b"{")])
    ['web']
    """
    return sorted({name for each in files for name in _names(each)})


def _names(file: File) -> Iterator[str]:
    text = text_of(file)
    if isinstance(text, Problem):
        return
    for tree in trees(text, file.path).documents:
        each = document(tree.root)
        name = each.at("metadata", "name")
        if each.at("kind") == "ScaleSet" and isinstance(name, str):
            yield name
