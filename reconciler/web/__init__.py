"""The HTTP server of the daemon: probes, metrics and status."""
