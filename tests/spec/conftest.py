"""What the tests of the spec room share: a spec without mistakes to break, and the lines that come of it."""

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
    """One scale set, every field written out, no mistake."""
    return WEB


@pytest.fixture(scope="session")
def lines() -> Callable[..., list[str]]:
    """The lines that validate prints for files of these texts: web.yaml, or named by keyword."""

    def printed_lines(text: str | bytes = b"", **others: str | bytes) -> list[str]:
        texts = {"web": text, **others} if text or not others else others
        files = [
            File(f"{name}.yaml", each.encode() if isinstance(each, str) else each)
            for name, each in texts.items()
        ]
        return [str(problem) for problem in declare(files).problems]

    return printed_lines
