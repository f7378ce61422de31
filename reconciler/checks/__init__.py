"""The client for `rollout.checks`, which ask systems outside Azure whether a rollout may continue."""
