"""The git client: fetches one branch and reads it at one commit, without a working tree."""
