"""`python -m tests.fuzz [TARGET...] --seconds N`: looks for an input that breaks a property, guided by coverage.

Each target runs for N seconds in a process of its own. Inputs that reach new code are kept in .fuzz/TARGET for the next
run. A finding ends its target. Its input is then in .fuzz, and the exit code is 1.
"""

import argparse
import subprocess
import sys
from pathlib import Path

DIRECTORY = Path(".fuzz")
_SLOW_SECONDS = 10  # after which one input is a finding, on a loaded machine
_MOST_MEGABYTES = 2048
_LONGEST = 4096  # bytes of an input
_DICTIONARY = Path(__file__).parent / "dictionary.txt"


def main() -> None:
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], default=[])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    chosen = parser.parse_args()
    failed = []
    for name in chosen.targets or TARGETS:
        print(f"{name}: {chosen.seconds} s", flush=True)
        corpus = DIRECTORY / name
        corpus.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(TARGETS[name].corpus()):
            (corpus / f"example-{number}").write_bytes(content)
        command = [
            *(sys.executable, "-m", "tests.fuzz.one", name, str(corpus)),
            f"-max_total_time={chosen.seconds}",
            f"-timeout={_SLOW_SECONDS}",
            f"-rss_limit_mb={_MOST_MEGABYTES}",
            f"-max_len={_LONGEST}",
            f"-dict={_DICTIONARY}",
            f"-artifact_prefix={DIRECTORY}/{name}-",
            "-verbosity=1",
            "-print_final_stats=1",
        ]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"found something in: {', '.join(failed)}; the inputs are in {DIRECTORY}")


if __name__ == "__main__":
    main()
