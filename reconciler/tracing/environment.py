"""Whether traces are exported, and where to, according to the standard OTEL_ variables.

This module imports nothing from OpenTelemetry.
"""

from collections.abc import Mapping

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def are_traces_wanted(environment: Mapping[str, str]) -> bool:
    """Whether a collector is named, and traces are not switched off.

    >>> are_traces_wanted({}), are_traces_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    (False, True)
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter in {"", "otlp"} and bool(_first(environment, _ENDPOINTS))


def protocol_error(environment: Mapping[str, str]) -> str:
    """Why the protocol that the variables name cannot be used, or "" if it can.

    >>> protocol_error({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
    ''
    """
    named = _first(environment, _PROTOCOLS)
    if named in {"", _PROTOCOL}:
        return ""
    return (
        f"OTEL_EXPORTER_OTLP_PROTOCOL is {named!r}; write {_PROTOCOL}, and the port of the collector for it"
    )


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environment.get(name, "").strip())), "")
