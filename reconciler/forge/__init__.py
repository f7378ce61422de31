"""The only client of git forge APIs.

Creates one comment on a pull request, or updates the comment in place.
"""
