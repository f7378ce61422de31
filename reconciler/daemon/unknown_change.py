"""The last change of a model as data if it is unknown. Loads no Azure SDK, for clients of a daemon."""

from typing import Any

FIELDS = ("by", "at", "operation", "status", "correlationId", "isOwn")
"""The fields of a change besides "message"."""


def unknown_change(message: str) -> dict[str, Any]:
    """A change that only a message describes.

    >>> unknown_change("unknown: no daemon responds")["message"]
    'unknown: no daemon responds'
    """
    return {**dict.fromkeys(FIELDS), "message": message}
