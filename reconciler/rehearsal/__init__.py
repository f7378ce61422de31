"""Runs the daemon on a copy of the fleet in the simulator, with a virtual clock.

Only `reconciler snapshot` and `reconciler rehearse` import this package, because it needs the simulator.
"""
