"""The decision, as a pure function: at most one step, from what is desired and what was observed."""
