"""What Azure was recorded to answer, as small expectations of our own, and a replay of any cassettes at hand.

`python -m tests.recorded DIRECTORY` runs the requests of every cassette in a directory through the simulator and
tells where its answers differ. Cassettes themselves are no part of the project.
"""
