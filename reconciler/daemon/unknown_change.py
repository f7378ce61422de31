"""An unknown last change of a model, as data, for clients that do not load the Azure SDK."""

from typing import Any

FIELDS = ("by", "at", "operation", "status", "correlationId", "isOwn")
"""The fields of a change besides "message"."""


def unknown_change(message: str) -> dict[str, Any]:
    """An unknown change, described only by a message.

    >>> unknown_change("unknown: no daemon responds")["message"]
    'unknown: no daemon responds'
    """
    return {**dict.fromkeys(FIELDS), "message": message}
