"""Small worlds, searched completely: every order of all events, with the real decision in each state.

`azure` has a scale set as a frozen value, and its transitions. `daemon` runs the decision on it and keeps the memory of a
process. `rules` has the rules for every step. `search` visits every state once, and checks that an end can be reached
from it. `scopes` is the table of the worlds. `make exhaust` runs them all.

The clock advances in steps of five minutes. Ages beyond the last threshold are equal, so the number of states is
finite.
"""
