"""The HTTP server of the daemon: pages, probes, metrics, status and webhooks."""
