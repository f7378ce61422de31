"""The daemon: sweeps, reconciles, and the state that it publishes."""
