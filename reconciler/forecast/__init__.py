"""The future of a rollout: the decision, run forward in a world in which all goes well."""
