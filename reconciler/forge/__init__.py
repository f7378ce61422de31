"""The only client of the APIs of git forges: one comment on a pull request, created or updated in place."""
