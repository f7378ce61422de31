"""Small worlds, exhaustively: every order of every event, with the real decision at work in each state.

`azure` is a scale set as a frozen value, and what may become of it; `daemon` runs the decision on it and keeps what a
process remembers; `rules` says what must hold of every step; `search` visits every state once, and asks from each
whether it comes to an end; `scopes` is the table of the worlds. `make exhaust` runs them all.

The clock goes in steps of five minutes, and every age is cut where no threshold lies beyond it, so that there are only
so many states.
"""
