"""The decision, pure: from what is desired and what is observed to one step at most."""
