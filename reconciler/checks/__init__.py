"""The only door to the checks of `rollout.checks`: what stands outside of Azure and says whether to go on."""
