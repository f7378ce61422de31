"""Runs the command line as `python -m reconciler.cli`, for when `reconciler` is not on the PATH."""

from reconciler.cli import main

main(prog_name="reconciler")
