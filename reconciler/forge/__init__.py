"""The only client of git forge APIs.

It creates one comment on a pull request, or updates that comment in place.
"""
