"""The costs of the reconciler, compared with a plain script that uses the same SDK: `make bench`.

Both do the same work with the same simulated Azure through its in-process transport, on a virtual clock. Each
measurement is a process of its own (`daemon`, `script`, `budget`), so that its peak memory is its own. The
machine may be noisy: read the ratios. Requests, bytes and Azure's time are exact and the same in each run.

Three have no script beside them: `specs`, many specs in one repository, `page`, the pages and those who watch
them, and `merge`, the time from a merge to the first PATCH. `merge` runs the real program over the wire, by
the clock on the wall.
"""
