"""What users copy from docs/metrics.md, tried: the alert rules against a daemon in trouble."""
