"""The daemon: the sweep, the reconcile, and the state that is published."""
