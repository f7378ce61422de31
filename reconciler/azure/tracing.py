"""The spans that the SDK itself makes of its operations and requests."""

from azure.core.settings import settings


def trace_requests(*, is_on: bool) -> None:
    """Make a span of each request, or no longer, in this process. OpenTelemetry must be installed."""
    settings.tracing_enabled = is_on
