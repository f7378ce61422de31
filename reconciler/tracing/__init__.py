"""OpenTelemetry traces: a span for each sweep, reconcile and fetch. The Azure SDK adds one per request."""
