"""The alert rules that users copy from docs/metrics.md, tested against a daemon with faults."""
