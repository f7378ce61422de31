"""What the reconciler costs, beside a plain script that does the same with the same SDK: `make bench`.

Both talk to the same simulated Azure through its in-process door, on a virtual clock. Every measurement is a
process of its own (`daemon`, `script`, `budget`), so that peak memory is its own. The machine may be noisy:
read the ratios. Requests, bytes and Azure's time are exact, and the same in every run.
"""
