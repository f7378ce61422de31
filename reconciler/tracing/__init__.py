"""Traces for OpenTelemetry: a span for each sweep, reconcile and fetch, and by the SDK for each request."""
