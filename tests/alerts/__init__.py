"""The alert rules of deploy/prometheus/, tested against a daemon with faults."""
