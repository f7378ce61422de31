"""The examples in docstrings are correct."""

import doctest
import importlib
import pkgutil

import pytest

import reconciler

MODULES = [
    module.name
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_of_a_module_are_correct(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
