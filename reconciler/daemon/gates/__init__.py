"""The gates outside of one scale set."""
