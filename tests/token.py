"""A credential for the in-process client, which needs no identity although the SDK requires a token."""

from reconciler.simulator.credential import InProcessCredential as Token

__all__ = ["Token"]
