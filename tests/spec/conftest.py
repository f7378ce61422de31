"""Fixtures for the tests of specs: a valid spec to modify, and the lines that `validate` prints."""

from collections.abc import Callable

import pytest

from reconciler.spec.declared import declare
from reconciler.spec.files import File

WEB = """\
apiVersion: vmss-reconciler/v1alpha1
kind: ScaleSet
metadata:
  name: web
  labels: {env: prod}
spec:
  target:
    subscription: 11111111-1111-1111-1111-111111111111
    resourceGroup: shop
    name: web
  image:
    platform:
      publisher: Canonical
      offer: ubuntu-24_04-lts
      sku: server
      version: "24.04.202601140"
  rollout: {by: auto, maxBatch: 20%, converge: image}
  health: {timeout: 10m}
  interval: 1h
  suspend: false
"""


@pytest.fixture(scope="session")
def web() -> str:
    """A valid spec of one scale set that sets many fields."""
    return WEB


@pytest.fixture(scope="session")
def lines() -> Callable[..., list[str]]:
    """Returns the lines that `validate` prints for these texts: web.yaml, or files named by keyword."""

    def printed_lines(text: str | bytes = b"", **others: str | bytes) -> list[str]:
        texts = {"web": text, **others} if text or not others else others
        files = [
            File(f"{name}.yaml", each.encode() if isinstance(each, str) else each)
            for name, each in texts.items()
        ]
        return [str(problem) for problem in declare(files).problems]

    return printed_lines
