"""The process that reconciles on a schedule."""
