"""What the daemon shows over HTTP: probes, metrics and its board."""
