"""The only client of the APIs of git forges.

It creates one comment on a pull request, or updates it in place.
"""
