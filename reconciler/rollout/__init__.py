"""The decision about one scale set: a pure function of the desired state and what was observed."""
