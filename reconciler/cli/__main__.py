"""`python -m reconciler.cli`, if the console command is not on the PATH."""

from reconciler.cli import main

main(prog_name="reconciler")
