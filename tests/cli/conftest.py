"""An Azure of its own for each test that changes one."""

from collections.abc import Iterator

import pytest

from tests.cli.program import Azure, azure


@pytest.fixture
def world() -> Iterator[Azure]:
    """Three instances on OLD, each in an update domain of its own, called web."""
    with azure() as served:
        yield served
