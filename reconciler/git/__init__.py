"""The git client. Fetches one revision and reads its spec files, without a working tree."""
