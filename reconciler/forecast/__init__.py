"""The future of a rollout: the decision, run forward in a world where everything succeeds."""
