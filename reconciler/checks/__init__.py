"""The client for `rollout.checks`: systems outside Azure that decide whether a rollout continues."""
