"""Recorded responses of Azure as small expectations of our own, and a replay of any cassettes at hand.

`python -m tests.recorded DIRECTORY` sends the requests of every cassette in a directory to the simulator and
reports the differences between the responses. The cassettes themselves are not part of the project.
"""
