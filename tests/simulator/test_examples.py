"""The examples in the simulator's docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import reconciler.simulator

MODULES = [
    module.name for module in pkgutil.walk_packages(reconciler.simulator.__path__, "reconciler.simulator.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
