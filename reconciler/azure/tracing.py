"""Turns the SDK's own spans on and off."""

from azure.core.settings import settings


def trace_requests(*, is_on: bool) -> None:
    """Make the SDK create a span for each request in this process, or stop that. Needs OpenTelemetry."""
    settings.tracing_enabled = is_on
