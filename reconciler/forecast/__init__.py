"""Where a rollout is heading: the decision run forward on a world in which all goes well."""
