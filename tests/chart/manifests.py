"""`python -m tests.chart.manifests`: writes deploy/kubernetes.yaml, the plain manifests, from the chart."""

import re

from tests.chart.programs import ROOT, rendered

MANIFESTS = ROOT / "deploy" / "kubernetes.yaml"

HEAD = """\
# One daemon in a cluster, with an Azure workload identity. Change the values marked CHANGE.
# Made from deploy/chart by `make manifests`. The chart has more settings, and can run several replicas.
apiVersion: v1
kind: Namespace
metadata:
  name: reconciler
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""

VALUES = {
    "image": {"repository": "vmss-reconciler"},
    "identity": {"clientId": "00000000-0000-0000-0000-000000000000"},
    "git": {"url": "https://git.example.com/platform/fleet.git"},
}
# What the reader has to change, by the value that stands for it.
CHANGES = {
    "image: vmss-reconciler:": "the image in your registry",
    "00000000-0000-0000-0000-000000000000": "the client id of the identity",
    "https://git.example.com/platform/fleet.git": "your repository",
}
# What is about releases of helm.
_OF_HELM = re.compile(
    r"^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n|^# Source: .*\n", re.MULTILINE
)


def manifests() -> str:
    """The plain manifests."""
    text = _OF_HELM.sub("", rendered(VALUES))
    for value, meaning in CHANGES.items():
        text = re.sub(f"^.*{re.escape(value)}.*$", rf"\g<0>   # CHANGE: {meaning}", text, flags=re.MULTILINE)
    return HEAD + re.sub(r"\n+---", "\n---", text)


if __name__ == "__main__":
    MANIFESTS.write_text(manifests())
