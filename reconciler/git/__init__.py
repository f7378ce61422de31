"""The only door to git: one branch, fetched and read at one commit, without a working tree."""
