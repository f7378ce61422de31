"""The log of `reconciler run`, as human-readable text or as JSON."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

# The attributes of a record that name what a line is about, and their names in JSON.
_SUBJECT: Mapping[str, str] = {
    "scale_set": "scaleSet",
    "status": "status",
    "reason": "reason",
    "commit": "commit",
    "user": "user",
    "action": "action",
    "outcome": "outcome",
    "client_request_id": "clientRequestId",
    "azure_request_id": "azureRequestId",
    "azure_correlation_id": "azureCorrelationId",
}


def log_lines(format_: str) -> logging.Handler:
    """A handler that writes each record to standard error, as one line in this format."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(_Json() if format_ == "json" else text)
    return handler


class _Json(logging.Formatter):
    """One JSON object per line, with the field names of Flux and other controllers: ts, level, msg."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
        }
        for attribute, name in _SUBJECT.items():
            if value := getattr(record, attribute, ""):
                line[name] = str(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
